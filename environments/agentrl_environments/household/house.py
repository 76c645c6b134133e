"""House: everything that is fixed in one game, as compact tables. Generated houses and real games both become one."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType


class Kind(enum.StrEnum):
    """The six kinds of tasks, by the names that ALFWorld uses for them."""

    PLACE = "pick_and_place_simple"
    LIGHT = "look_at_obj_in_light"
    CLEAN = "pick_clean_then_place_in_recep"
    HEAT = "pick_heat_then_place_in_recep"
    COOL = "pick_cool_then_place_in_recep"
    TWO = "pick_two_obj_and_place"

    @property
    def treatment(self) -> "Treatment | None":
        """What has to be done to the thing before it is put where it belongs."""
        return _TREATMENTS.get(self)


class Treatment(enum.StrEnum):
    """What an appliance does to the thing that is held, by the verb of the command."""

    CLEAN = "clean"
    COOL = "cool"
    HEAT = "heat"


_TREATMENTS = {Kind.CLEAN: Treatment.CLEAN, Kind.HEAT: Treatment.HEAT, Kind.COOL: Treatment.COOL}
APPLIANCES: Mapping[Treatment, frozenset[str]] = MappingProxyType(
    {
        Treatment.CLEAN: frozenset({"sink", "sinkbasin"}),
        Treatment.COOL: frozenset({"fridge"}),
        Treatment.HEAT: frozenset({"microwave"}),
    }
)
KNIVES = frozenset({"butterknife", "knife"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What wins the game. It speaks of types: any thing, receptacle or lamp of the type will do."""

    kind: Kind
    thing: str  # type of what is to be moved or looked at
    target: str  # type of the receptacle, or of the lamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Receptacle:
    """Where things can be."""

    name: str
    type: str
    location: int  # several receptacles may share one
    openable: bool = False
    opened: bool = False  # at the start


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What can be in a receptacle."""

    name: str
    type: str
    receptacles: tuple[int, ...] = ()  # where it is at the start; real games have things in two at once
    locations: tuple[int, ...] = ()  # where it can be sliced; real games have some that are not where the thing is
    portable: bool = True
    treatable: frozenset[Treatment] = frozenset()
    toggleable: bool = False
    sliceable: bool = False
    contents: tuple[str, ...] | None = None  # names of what is in it, for the description only; None: no container
    is_cool: bool = False  # at the start


@dataclass(frozen=True, eq=False, kw_only=True)
class House:
    """A room, the things in it, and a goal."""

    receptacles: tuple[Receptacle, ...]  # in the order in which they are listed
    things: tuple[Thing, ...]  # in the order in which they are listed
    fits: Mapping[str, frozenset[str]]  # receptacle type -> types of the things that may be put there
    goal: Goal
    task: str  # the goal in words, with its full stop

    @cached_property
    def receptacles_at(self) -> Mapping[int, tuple[int, ...]]:
        """The receptacles at each location, sorted by name."""
        found: dict[int, list[int]] = {}
        for index in sorted(range(len(self.receptacles)), key=lambda index: self.receptacles[index].name):
            found.setdefault(self.receptacles[index].location, []).append(index)
        return {location: tuple(indices) for location, indices in found.items()}

    @cached_property
    def candidates(self) -> tuple[int, ...]:
        """The things of the goal's type, as long as they can be treated as it asks."""
        treatment = self.goal.kind.treatment
        return tuple(
            index
            for index, thing in enumerate(self.things)
            if thing.type == self.goal.thing and (treatment is None or treatment in thing.treatable)
        )

    @cached_property
    def targets(self) -> tuple[int, ...]:
        """The receptacles of the goal's type."""
        return tuple(index for index, place in enumerate(self.receptacles) if place.type == self.goal.target)

    @cached_property
    def lamps(self) -> tuple[int, ...]:
        """The lamps of the goal's type."""
        return tuple(
            index for index, thing in enumerate(self.things) if thing.type == self.goal.target and thing.toggleable
        )
