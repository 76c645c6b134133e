"""Lexicon: the names that a tokenizer trained for the household keeps whole: copying a name is copying a token."""

from agentrl_environments.household.difficulty import Difficulty
from agentrl_environments.household.house import Kind
from agentrl_environments.household.rooms import HOMES, ROOMS


def lexicon_of(difficulty: Difficulty) -> tuple[str, ...]:
    """The types of things and receptacles; with compact observations also their full names, which are then few."""
    rooms = [ROOMS[name] for name in difficulty.rooms]
    things = {thing: _most_same(difficulty) for room in rooms for thing in room.things}
    lamps = {room.lamp: 1 for room in rooms if room.lamp and Kind.LIGHT in difficulty.kinds}
    places = {place: most for room in rooms for place, most in room.receptacles.items()}
    counts = things | lamps | places
    if not difficulty.is_compact:
        return tuple(sorted(counts.keys() | HOMES.keys()))
    names = {f"{type_} {number}" for type_, most in counts.items() for number in range(1, most + 1)}
    plurals = {type_ for type_, most in things.items() if most > 1}  # the goal then speaks of the type
    return tuple(sorted(names | plurals))


def _most_same(difficulty: Difficulty) -> int:
    return max(difficulty.max_same, 2 if Kind.TWO in difficulty.kinds else 1)
