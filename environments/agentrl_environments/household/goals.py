"""Goals: for each kind of task, an exact and quick test of whether a state wins."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from agentrl_environments.household.house import House, Kind, Treatment


class Position(Protocol):
    """What a goal looks at in a game; each mask has a bit for each thing."""

    location: int
    held: int
    clean: int
    hot: int
    cool: int
    toggled: int
    inside: list[int]  # for each thing, a mask of the receptacles that it is in


Winner: TypeAlias = Callable[[Position], bool]


def mask_of(bits: Sequence[int]) -> int:
    """The number that has these bits set."""
    mask = 0
    for bit in bits:
        mask |= 1 << bit
    return mask


def winner_of(house: House) -> Winner:
    """Whether a state of the house's game satisfies its goal, as a function of the state."""
    kind = house.goal.kind
    if kind is Kind.LIGHT:
        return _looked_at(house)
    if kind is Kind.TWO:
        return _two_placed(house)
    return _placed(house, kind.treatment)


def treated(position: Position, treatment: Treatment | None) -> int:
    """The mask of the things to which it has been done."""
    match treatment:
        case Treatment.CLEAN:
            return position.clean
        case Treatment.HEAT:
            return position.hot
        case Treatment.COOL:
            return position.cool
        case None:
            return -1  # every bit is set


def _placed(house: House, treatment: Treatment | None) -> Winner:
    """Some candidate is in some target, treated as asked."""
    candidates, targets = house.candidates, mask_of(house.targets)

    def placed(position: Position) -> bool:
        done = treated(position, treatment)
        return any(position.inside[thing] & targets and done >> thing & 1 for thing in candidates)

    return placed


def _two_placed(house: House) -> Winner:
    """Two different candidates are in one and the same target."""
    candidates, targets = house.candidates, mask_of(house.targets)

    def two_placed(position: Position) -> bool:
        seen = 0
        for thing in candidates:
            places = position.inside[thing] & targets
            if seen & places:
                return True
            seen |= places
        return False

    return two_placed


def _looked_at(house: House) -> Winner:
    """A candidate is held where a lamp is that has been turned on."""
    candidates, lamps = frozenset(house.candidates), house.lamps
    here = {location: mask_of(receptacles) for location, receptacles in house.receptacles_at.items()}

    def looked_at(position: Position) -> bool:
        if position.held not in candidates:
            return False
        around = here.get(position.location, 0)
        return any(position.toggled >> lamp & 1 and position.inside[lamp] & around for lamp in lamps)

    return looked_at
