"""Status: the compact observation, one line that says all that the next decision needs besides what was seen before.

    Goal: put mug 1 in shelf 1. Holding nothing. At cabinet 2. Found mug 1.

So the names that an agent has to copy are always near. The line tells no more than ALFWorld's sentences do of the
place at hand, and of other places nothing.
"""

from collections.abc import Iterable

from agentrl_environments.household.engine import NOTHING, START, Game
from agentrl_environments.household.goals import treated
from agentrl_environments.household.house import APPLIANCES, House, Kind, Treatment

_ADJECTIVES = {Treatment.CLEAN: "clean ", Treatment.COOL: "cool ", Treatment.HEAT: "hot ", None: ""}


def status_line(game: Game) -> str:
    """What is to be done, what is held, where the player is, and whether what comes next is here."""
    house = game.house
    held = house.things[game.held].name if game.held != NOTHING else "nothing"
    line = f"Goal: {goal_phrase(house)}. Holding {held}."
    if game.location == START:
        return line
    here = ", ".join(house.receptacles[index].name for index in game.here)
    return f"{line} At {here}. {_finding(game)}"


def goal_phrase(house: House) -> str:
    """The goal in few words, with names instead of types wherever one name is as good."""
    goal, target = house.goal, named_target(house)
    things = [house.things[index].name for index in house.candidates]
    thing = things[0] if len(things) == 1 else goal.thing
    if goal.kind is Kind.LIGHT:
        return f"look at {thing} with {house.things[target].name}"
    place = house.receptacles[target].name
    if goal.kind is Kind.TWO:
        return f"put two {thing} in {place}"
    return f"put {_ADJECTIVES[goal.kind.treatment]}{thing} in {place}"


def named_target(house: House) -> int:
    """The receptacle, or the lamp, that stands for its type: the last one listed, which has the lowest number."""
    return (house.lamps if house.goal.kind is Kind.LIGHT else house.targets)[-1]


def _finding(game: Game) -> str:
    """Whether what comes next is here: a thing, or where to go with it once it is held."""
    house, kind = game.house, game.house.goal.kind
    if game.held not in house.candidates:
        return _finding_of_things(game, _missing(game))
    if kind is Kind.LIGHT:
        return _finding_of_things(game, house.lamps)
    if not treated(game, kind.treatment) >> game.held & 1:
        return _found(_appliances_here(game))
    if any(index in house.targets and not game.can_see_into(index) for index in game.here):
        return "Closed."
    return _found(house.receptacles[index].name for index in game.here if index in house.targets)


def _missing(game: Game) -> tuple[int, ...]:
    """The things to look for."""
    house = game.house
    if house.goal.kind is not Kind.TWO:
        return house.candidates
    return tuple(thing for thing in house.candidates if not game.inside[thing] >> named_target(house) & 1)


def _finding_of_things(game: Game, things: tuple[int, ...]) -> str:
    open_places = [index for index in game.here if game.can_see_into(index)]
    names = [
        game.house.things[thing].name for index in open_places for thing in game.contents[index] if thing in things
    ]
    if not names and len(open_places) < len(game.here):
        return "Closed."
    return _found(names)


def _appliances_here(game: Game) -> list[str]:
    treatment = game.house.goal.kind.treatment
    types = APPLIANCES[treatment] if treatment else frozenset[str]()
    places = [game.house.receptacles[index] for index in game.here]
    return [place.name for place in places if place.type in types]


def _found(names: Iterable[str]) -> str:
    """What was found; the first is enough."""
    name = next(iter(names), None)
    return f"Found {name}." if name else "Not here."
