"""The real games of ALFWorld: what a problem in PDDL says, as a house.

All games share one domain, whose rules the engine plays; what is a game's own are its objects, its facts and its goal.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from agentrl.errors import ConfigError
from agentrl_environments.household.house import Goal, House, Kind, Receptacle, Thing, Treatment

_FACT = re.compile(r"\((\w+) ([^\s()]+) ?([^\s()]*)\)")
_GOAL_TYPE = re.compile(r"\((?:objecttype|receptacletype) +\?\w+ +(\w+)type *\)")
_GOAL_MARKS = {"isclean": Kind.CLEAN, "ishot": Kind.HEAT, "iscool": Kind.COOL, "istoggled": Kind.LIGHT, "not": Kind.TWO}
_ABILITIES = {Treatment.CLEAN: "cleanable", Treatment.COOL: "coolable", Treatment.HEAT: "heatable"}


def parse_problem(problem: str, task: str) -> House:
    """The house that a game's PDDL problem describes.

    Args:
        problem: The problem's text.
        task: The goal in words, as the game states it.

    Raises:
        ConfigError: The text is no such problem.
    """
    text = problem.lower()
    init, goal = text.find("(:init"), text.find("(:goal")
    if not 0 <= init < goal:
        raise ConfigError(f"An ALFWorld problem has (:init ...) before (:goal ...); this one starts {problem[:60]!r}.")
    facts = _Facts(text[init:goal])
    return House(
        receptacles=facts.receptacles(), things=facts.things(), fits=facts.fits(), goal=_goal(text[goal:]), task=task
    )


class _Facts:
    """The facts of a problem, and what they say in our terms. Ids are sorted wherever an order matters."""

    def __init__(self, text: str) -> None:
        self._pairs: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)  # arguments, by predicate
        for predicate, first, second in _FACT.findall(text):
            self._pairs[predicate].append((first, second))
        self._names = _names({id_ for pairs in self._pairs.values() for pair in pairs for id_ in pair})
        self._places = {id_: index for index, id_ in enumerate(sorted(self._firsts("receptacletype")))}
        at = sorted({location for _, location in self._pairs["receptacleatlocation"]})
        self._locations = {id_: index for index, id_ in enumerate(at)}

    def receptacles(self) -> tuple[Receptacle, ...]:
        """The receptacles, in the order in which the game lists them."""
        types, at = dict(self._pairs["receptacletype"]), dict(self._pairs["receptacleatlocation"])
        openable, opened = self._firsts("openable"), self._firsts("opened")
        return tuple(
            Receptacle(
                name=self._names[id_],
                type=types[id_].removesuffix("type"),
                location=self._locations[at[id_]],
                openable=id_ in openable,
                opened=id_ in opened,
            )
            for id_ in self._places
        )

    def things(self) -> tuple[Thing, ...]:
        """The objects that can play a part: those in some receptacle, and those that can be sliced."""
        types, inside = dict(self._pairs["objecttype"]), self._seconds("inreceptacle")
        at, holders = self._seconds("objectatlocation"), self._seconds("inreceptacleobject")
        contents: defaultdict[str, list[str]] = defaultdict(list)
        for id_ in sorted(holders):
            for holder in holders[id_]:
                contents[holder].append(self._names[id_])
        abilities = {treatment: self._firsts(predicate) for treatment, predicate in _ABILITIES.items()}
        marks = ("pickupable", "toggleable", "sliceable", "isreceptacleobject", "iscool")
        portable, toggleable, sliceable, containers, cool = (self._firsts(predicate) for predicate in marks)
        return tuple(
            Thing(
                name=self._names[id_],
                type=types[id_].removesuffix("type"),
                receptacles=tuple(self._places[receptacle] for receptacle in inside.get(id_, ())),
                locations=tuple(self._locations[place] for place in at.get(id_, ()) if place in self._locations),
                portable=id_ in portable,
                treatable=frozenset(treatment for treatment, able in abilities.items() if id_ in able),
                toggleable=id_ in toggleable,
                sliceable=id_ in sliceable,
                contents=tuple(contents[id_]) if id_ in containers else None,
                is_cool=id_ in cool,
            )
            for id_ in sorted(types)
            if id_ in inside or id_ in sliceable
        )

    def fits(self) -> Mapping[str, frozenset[str]]:
        """What may be put where, by type."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for receptacle, thing in self._pairs["cancontain"]:
            found[receptacle.removesuffix("type")].add(thing.removesuffix("type"))
        return {receptacle: frozenset(things) for receptacle, things in found.items()}

    def _firsts(self, predicate: str) -> frozenset[str]:
        return frozenset(first for first, _ in self._pairs[predicate])

    def _seconds(self, predicate: str) -> Mapping[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for first, second in self._pairs[predicate]:
            found[first].append(second)
        return found


def _names(ids: Iterable[str]) -> Mapping[str, str]:
    """What the player calls each object and receptacle: its class, and a number that counts down in the order of ids.

    The class is in the id, and need not be the type: a bathtub's basin may be of the type of a sink's.
    """
    classes: defaultdict[str, list[str]] = defaultdict(list)
    for id_ in sorted(ids, reverse=True):
        prefix, separator, _ = id_.partition("_bar_")
        if separator:
            classes[prefix + ("basin" if "basin" in id_ else "")].append(id_)
    return {id_: f"{name} {number}" for name, group in classes.items() for number, id_ in enumerate(group, start=1)}


def _goal(text: str) -> Goal:
    """The goal that a condition asks for: its kind is told by the one word that only such goals have."""
    kind = next((kind for word, kind in _GOAL_MARKS.items() if f"({word} " in text), Kind.PLACE)
    types = list(dict.fromkeys(_GOAL_TYPE.findall(text)))
    if len(types) != 2:
        raise ConfigError(
            f"An ALFWorld goal speaks of two types, of an object and of a place; got {types} in {text!r}."
        )
    # A goal under a lamp names the lamp first, all others the thing.
    thing, target = reversed(types) if kind is Kind.LIGHT else types
    return Goal(kind=kind, thing=thing, target=target)
