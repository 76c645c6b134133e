"""Strategy: what to do next, given the goal and what is remembered."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping

from agentrl_environments.household.house import APPLIANCES, Goal, Kind
from agentrl_environments.household.memory import Memory, type_of
from agentrl_environments.household.rooms import HOMES, LAMP_PLACES, OPENABLE

_RARE = 0.1  # weight of a receptacle in which such things are not usually found
_LAMP_HOMES: Mapping[str, int] = dict.fromkeys(LAMP_PLACES, 5)


class Strategy:
    """Find the thing, do to it what the goal asks, bring it where it belongs."""

    def __init__(self, goal: Goal, rng: random.Random, *, knows_homes: bool = True) -> None:
        """A strategy that searches the likeliest receptacles first, or all in a random order."""
        self._goal = goal
        self._rng = rng
        self._knows_homes = knows_homes
        self._orders: dict[str, list[str]] = {}  # of receptacles to search, by the type that is looked for

    def command(self, memory: Memory) -> str:
        """What to do next."""
        goal, held = self._goal, memory.held
        if held is None:
            options = self._fetch(memory)
        elif type_of(held) != goal.thing:
            options = self._put_away(memory, held)
        elif goal.kind is Kind.LIGHT:
            options = self._light(memory)
        elif goal.kind.treatment is not None and held not in memory.treated:
            options = self._treat(memory, held)
        else:
            options = self._deliver(memory, held)
        return next((command for command in options if command not in memory.failed), "look")

    def _fetch(self, memory: Memory) -> Iterator[str]:
        """Take a thing of the goal's type, or look for one; but leave the first of two where it has been put."""
        keep = next(iter(self._targets(memory)), None) if self._goal.kind is Kind.TWO else None
        for thing, place in memory.where.items():
            if type_of(thing) == self._goal.thing and place != keep:
                yield from _at(memory, place, f"take {thing} from {place}")
        yield from self._search(memory, self._goal.thing)

    def _put_away(self, memory: Memory, held: str) -> Iterator[str]:
        """Get rid of what is held, here if possible."""
        for place in [*memory.here, *self._order(memory, held)]:
            yield from _at(memory, place, f"move {held} to {place}")

    def _light(self, memory: Memory) -> Iterator[str]:
        """Turn on the lamp, with the thing in hand."""
        for lamp, place in memory.where.items():
            if type_of(lamp) == self._goal.target:
                yield from _at(memory, place, f"use {lamp}")
        yield from self._search(memory, self._goal.target)

    def _treat(self, memory: Memory, held: str) -> Iterator[str]:
        treatment = self._goal.kind.treatment
        assert treatment is not None, "only kinds with a treatment are treated"
        for place in memory.places:
            if type_of(place) in APPLIANCES[treatment]:
                yield from _at(memory, place, f"{treatment} {held} with {place}", opened=False)

    def _deliver(self, memory: Memory, held: str) -> Iterator[str]:
        for place in self._targets(memory):
            yield from _at(memory, place, f"move {held} to {place}")

    def _targets(self, memory: Memory) -> list[str]:
        """The receptacles of the goal's type, the best first: where one of two things is, or else what is at hand."""
        counts = Counter(place for thing, place in memory.where.items() if type_of(thing) == self._goal.thing)
        is_begun = self._goal.kind is Kind.TWO and bool(counts)

        def rank(place: str) -> tuple[int, bool, bool, int, str]:
            is_near = place in memory.here and not is_begun  # once begun, it must not change with where the player is
            return -counts[place] if is_begun else 0, not is_near, place in memory.closed, len(place), place

        return sorted((place for place in memory.places if type_of(place) == self._goal.target), key=rank)

    def _search(self, memory: Memory, type_: str) -> Iterator[str]:
        """Look into the next receptacle that has not been looked into."""
        for place in self._order(memory, type_):
            if place not in memory.searched:
                yield from _at(memory, place, f"examine {place}")
        memory.searched.clear()  # something was overlooked: start again

    def _order(self, memory: Memory, type_: str) -> list[str]:
        if type_ not in self._orders:
            self._orders[type_] = sorted(memory.places, key=self._promise(memory, type_).__getitem__, reverse=True)
        return self._orders[type_]

    def _promise(self, memory: Memory, type_: str) -> dict[str, float]:
        """For each receptacle, how likely the thing is there, over what it takes to see; with some luck added."""
        if not self._knows_homes:
            return {place: self._rng.random() for place in memory.places}
        homes = HOMES.get(type_, _LAMP_HOMES)
        counts = Counter(map(type_of, memory.places))
        promise: dict[str, float] = {}
        for place in memory.places:
            kind = type_of(place)
            chance = max(homes.get(kind, 0), _RARE) / counts[kind]
            promise[place] = chance / (2 if kind in OPENABLE else 1) * (0.9 + 0.2 * self._rng.random())
        return promise


def _at(memory: Memory, place: str, command: str, *, opened: bool = True) -> Iterator[str]:
    """The next step on the way to doing the command at the receptacle, which has to be open where `opened` says so."""
    if place not in memory.here:
        yield f"go to {place}"
    elif opened and place in memory.closed:
        yield f"open {place}"
    else:
        yield command
