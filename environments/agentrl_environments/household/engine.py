"""Engine: plays a house by ALFWorld's rules, which are those of its PDDL domain, quirks included.

A game offers what can be done now as a dictionary from command to action. That dictionary is the list of admissible
commands and the only parser: whatever is not in it changes nothing.
"""

from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from agentrl_environments.household import language
from agentrl_environments.household.goals import mask_of, winner_of
from agentrl_environments.household.house import APPLIANCES, KNIVES, House, Treatment

START = -1  # the location at which a game begins: the middle of the room
NOTHING = -1  # what is held at first

Action: TypeAlias = tuple[Callable[["Game", int, int], str], int, int]  # what is done, to what, with or in what
Command: TypeAlias = tuple[str, Action]


class State(NamedTuple):
    """The state of a game as a value. Masks have a bit for each receptacle, thing or location."""

    location: int
    held: int
    opened: int  # receptacles
    clean: int  # things, as the four below
    hot: int
    cool: int
    toggled: int
    sliced: int
    inside: tuple[int, ...]  # for each thing, the receptacles that it is in
    reach: tuple[int, ...]  # for each thing, the locations at which it can be sliced
    taken: tuple[int, ...]  # for each thing, the receptacles that it was taken from, and not put back in


class Game:
    """One game of a house in progress."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.location = START
        self.held = NOTHING
        self.opened = mask_of([index for index, place in enumerate(house.receptacles) if place.opened])
        self.clean = self.hot = self.toggled = self.sliced = 0
        self.cool = mask_of([index for index, thing in enumerate(house.things) if thing.is_cool])
        self.inside = [mask_of(thing.receptacles) for thing in house.things]
        self.reach = [mask_of(thing.locations) for thing in house.things]
        self.taken = [0] * len(house.things)
        self.contents = self._contents()
        self._commands: dict[str, Action] | None = None
        self._wins = winner_of(house)
        self._going: dict[int, list[Command]] = {}

    @property
    def won(self) -> bool:
        """Whether the goal holds now."""
        return self._wins(self)

    @property
    def commands(self) -> Mapping[str, Action]:
        """What can be done now, by command, sorted."""
        if self._commands is None:
            self._commands = dict(self._find_commands())
        return self._commands

    @property
    def admissible(self) -> list[str]:
        """The commands that can be carried out now, sorted."""
        return list(self.commands)

    @property
    def here(self) -> tuple[int, ...]:
        """The receptacles at the present location, sorted by name."""
        return self.house.receptacles_at.get(self.location, ())

    def intro(self) -> str:
        """The first observation."""
        return language.intro([place.name for place in self.house.receptacles], self.house.task)

    def step(self, command: str) -> str:
        """The observation after the command was carried out, if it is admissible."""
        action = self.commands.get(command)
        if action is None:
            return language.NOTHING_HAPPENS
        carry_out, first, second = action
        return carry_out(self, first, second)

    def can_see_into(self, receptacle: int) -> bool:
        """Whether what is in the receptacle can be seen and taken."""
        return not self.house.receptacles[receptacle].openable or bool(self.opened >> receptacle & 1)

    def snapshot(self) -> State:
        """The state as a value."""
        inside, reach, taken = tuple(self.inside), tuple(self.reach), tuple(self.taken)
        marks = (self.clean, self.hot, self.cool, self.toggled, self.sliced)
        return State(self.location, self.held, self.opened, *marks, inside, reach, taken)

    def restore(self, state: State) -> None:
        """Continue from a state of a game of the same house."""
        self.location, self.held, self.opened = state.location, state.held, state.opened
        self.clean, self.hot, self.cool = state.clean, state.hot, state.cool
        self.toggled, self.sliced = state.toggled, state.sliced
        self.inside, self.reach, self.taken = list(state.inside), list(state.reach), list(state.taken)
        self.contents = self._contents()
        self._commands = None

    def key(self) -> tuple[object, ...]:
        """The state of the room, equal exactly where states are; it leaves out what only `look` tells of the past."""
        marks = (self.clean, self.hot, self.cool, self.toggled, self.sliced)
        return (self.location, self.held, self.opened, *marks, *self.inside, *self.reach)

    def _contents(self) -> list[list[int]]:
        """For each receptacle the things in it, in the order in which they are listed."""
        contents: list[list[int]] = [[] for _ in self.house.receptacles]
        for thing, mask in enumerate(self.inside):
            while mask:
                receptacle = mask.bit_length() - 1
                contents[receptacle].append(thing)
                mask ^= 1 << receptacle
        return contents

    def _find_commands(self) -> Iterator[Command]:
        """What can be done now, sorted: verb by verb in alphabetic order."""
        yield from self._treatments(Treatment.CLEAN)
        yield from self._closings()
        yield from self._treatments(Treatment.COOL)
        yield from self._examinations()
        yield from self._goings()
        yield from self._treatments(Treatment.HEAT)
        yield "help", (Game._help, 0, 0)
        yield "inventory", (Game._inventory, 0, 0)
        yield "look", (Game._look, 0, 0)
        if self.held != NOTHING:
            yield from self._moves()
        yield from self._openings()
        if self.held == NOTHING:
            yield from self._takings()
        elif self.house.things[self.held].type in KNIVES:
            yield from self._slicings()
        yield from self._uses()

    def _treatments(self, treatment: Treatment) -> Iterator[Command]:
        if self.held == NOTHING:
            return
        thing, appliances = self.house.things[self.held], APPLIANCES[treatment]
        if treatment in thing.treatable:
            for receptacle in self.here:
                place = self.house.receptacles[receptacle]
                if place.type in appliances:
                    yield f"{treatment} {thing.name} with {place.name}", (_TREAT[treatment], self.held, receptacle)

    def _closings(self) -> Iterator[Command]:
        for receptacle in self.here:
            place = self.house.receptacles[receptacle]
            if place.openable and self.opened >> receptacle & 1:
                yield f"close {place.name}", (Game._close, receptacle, 0)

    def _openings(self) -> Iterator[Command]:
        for receptacle in self.here:
            if not self.can_see_into(receptacle):
                yield f"open {self.house.receptacles[receptacle].name}", (Game._open, receptacle, 0)

    def _examinations(self) -> list[Command]:
        places = self.house.receptacles
        found: list[Command] = [
            (f"examine {places[receptacle].name}", (Game._examine_receptacle, receptacle, 0))
            for receptacle in self.here
        ]
        if self.held != NOTHING:
            found.append((f"examine {self.house.things[self.held].name}", (Game._examine_thing, self.held, 0)))
            found.sort()
        return found

    def _goings(self) -> list[Command]:
        """The receptacles elsewhere; the longest part of the list, hence kept for each location."""
        if self.location not in self._going:
            self._going[self.location] = sorted(
                (f"go to {place.name}", (Game._go, receptacle, 0))
                for receptacle, place in enumerate(self.house.receptacles)
                if place.location != self.location
            )
        return self._going[self.location]

    def _moves(self) -> Iterator[Command]:
        thing = self.house.things[self.held]
        for receptacle in self.here:
            place = self.house.receptacles[receptacle]
            if self.can_see_into(receptacle) and thing.type in self.house.fits.get(place.type, ()):
                yield f"move {thing.name} to {place.name}", (Game._move, self.held, receptacle)

    def _takings(self) -> list[Command]:
        places, things = self.house.receptacles, self.house.things
        return sorted(
            (f"take {things[thing].name} from {places[receptacle].name}", (Game._take, thing, receptacle))
            for receptacle in self.here
            if self.can_see_into(receptacle)
            for thing in self.contents[receptacle]
            if things[thing].portable
        )

    def _slicings(self) -> Iterator[Command]:
        knife, location = self.house.things[self.held], self.location
        names = [
            (thing.name, index)
            for index, thing in enumerate(self.house.things)
            if thing.sliceable and self.reach[index] >> location & 1
        ]
        for name, index in sorted(names):
            yield f"slice {name} with {knife.name}", (Game._slice, index, self.held)

    def _uses(self) -> Iterator[Command]:
        names = {
            self.house.things[thing].name: thing
            for receptacle in self.here
            for thing in self.contents[receptacle]
            if self.house.things[thing].toggleable
        }
        for name, thing in sorted(names.items()):
            yield f"use {name}", (Game._use, thing, 0)

    def _go(self, receptacle: int, _: int) -> str:
        place = self.house.receptacles[receptacle]
        self.location = place.location
        self._commands = None
        return f"You arrive at {place.name}. {self._description(receptacle)}"

    def _open(self, receptacle: int, _: int) -> str:
        self.opened |= 1 << receptacle
        self._commands = None
        return f"You open the {self.house.receptacles[receptacle].name}. {self._description(receptacle)}"

    def _close(self, receptacle: int, _: int) -> str:
        self.opened &= ~(1 << receptacle)
        self._commands = None
        return f"You close the {self.house.receptacles[receptacle].name}."

    def _take(self, thing: int, receptacle: int) -> str:
        self.inside[thing] &= ~(1 << receptacle)
        self.contents[receptacle].remove(thing)
        self.taken[thing] |= 1 << receptacle
        self.reach[thing] &= ~(1 << self.location)
        self.held = thing
        self._commands = None
        return f"You pick up the {self.house.things[thing].name} from the {self.house.receptacles[receptacle].name}."

    def _move(self, thing: int, receptacle: int) -> str:
        if not self.inside[thing] >> receptacle & 1:
            self.inside[thing] |= 1 << receptacle
            insort(self.contents[receptacle], thing)
        self.taken[thing] &= ~(1 << receptacle)
        self.reach[thing] |= 1 << self.location
        self.held = NOTHING
        self._commands = None
        return f"You move the {self.house.things[thing].name} to the {self.house.receptacles[receptacle].name}."

    def _clean(self, thing: int, receptacle: int) -> str:
        self.clean |= 1 << thing
        return self._treated(Treatment.CLEAN, thing, receptacle)

    def _heat(self, thing: int, receptacle: int) -> str:
        self.hot |= 1 << thing
        self.cool &= ~(1 << thing)
        return self._treated(Treatment.HEAT, thing, receptacle)

    def _cool(self, thing: int, receptacle: int) -> str:
        self.cool |= 1 << thing
        self.hot &= ~(1 << thing)
        return self._treated(Treatment.COOL, thing, receptacle)

    def _treated(self, treatment: Treatment, thing: int, receptacle: int) -> str:
        names = self.house.things[thing].name, self.house.receptacles[receptacle].name
        return f"You {treatment} the {names[0]} using the {names[1]}."

    def _slice(self, thing: int, knife: int) -> str:
        self.sliced |= 1 << thing
        return f"You sliced the {self.house.things[thing].name} with the {self.house.things[knife].name}."

    def _use(self, thing: int, _: int) -> str:
        self.toggled |= 1 << thing
        return f"You turn on the {self.house.things[thing].name}."

    def _examine_receptacle(self, receptacle: int, _: int) -> str:
        return self._description(receptacle)

    def _examine_thing(self, index: int, _: int) -> str:
        thing, bit = self.house.things[index], 1 << index
        if thing.contents is not None:
            return language.container(thing.name, thing.contents)
        masks = (self.hot, self.cool, self.clean, self.sliced)
        hot, cool, clean, sliced = (bool(mask & bit) for mask in masks)
        return language.thing(thing.name, hot=hot, cool=cool, clean=clean, sliced=sliced)

    def _inventory(self, _: int, __: int) -> str:
        if self.held == NOTHING:
            return "You are not carrying anything."
        return f"You are carrying: a {self.house.things[self.held].name}."

    def _look(self, _: int, __: int) -> str:
        if self.location == START:
            return language.in_the_middle(())
        places = sorted(self.here)
        around = mask_of(places)
        beside = [
            thing.name
            for index, thing in enumerate(self.house.things)
            if self.taken[index] & around and self.reach[index] >> self.location & 1
        ]
        return language.facing([self.house.receptacles[index].name for index in places], beside)

    def _help(self, _: int, __: int) -> str:
        return language.HELP

    def _description(self, receptacle: int) -> str:
        place = self.house.receptacles[receptacle]
        contents = [self.house.things[thing].name for thing in self.contents[receptacle]]
        opened = bool(self.opened >> receptacle & 1)
        return language.receptacle(place.name, contents, openable=place.openable, opened=opened)


_TREAT = {Treatment.CLEAN: Game._clean, Treatment.COOL: Game._cool, Treatment.HEAT: Game._heat}
