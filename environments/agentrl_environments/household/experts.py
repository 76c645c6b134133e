"""Scripted players: an expert that knows what it has seen, one that knows everything, and worse ones."""

import json
import random
from collections.abc import Callable, Sequence

from agentrl.acting.environment import Environment
from agentrl.acting.suite import Player, Script
from agentrl.messages import Message, ToolCall
from agentrl_environments.household.actions import COMMANDS
from agentrl_environments.household.engine import NOTHING, Game
from agentrl_environments.household.env import HouseholdText, HouseholdTools
from agentrl_environments.household.goals import treated
from agentrl_environments.household.memory import Memory
from agentrl_environments.household.strategy import Strategy

NOVICE_NOISE = 0.65  # share of a novice's actions that are random
NOVICE_SLIPS = 0.02  # share of a novice's messages that break off in the middle


def expert(environment: Environment, rng: random.Random) -> Player:
    """Searches where such things usually are, and remembers; knows nothing but what the observations said."""
    return _searcher(_household(environment), rng, noise=0.0, knows_homes=True)


def novice(environment: Environment, rng: random.Random) -> Player:
    """Searches in a random order, and acts at random more often than not: imperfect data to start from.

    Now and then it cannot be understood, so that its traces also show how to go on from there.
    """
    household = _household(environment)
    play = _searcher(household, rng, noise=NOVICE_NOISE, knows_homes=False)

    def stammer(messages: Sequence[Message]) -> Message:
        if rng.random() < NOVICE_SLIPS:
            return _broken(household.message(rng.choice(household.choices())), rng)
        return play(messages)

    return stammer


def omniscient(environment: Environment, rng: random.Random) -> Player:
    """Goes straight to everything: it looks into the game's state."""
    household = _household(environment)
    strategy = Strategy(household.play.game.house.goal, rng)
    memory = Memory(household.play.game.intro())

    def choose() -> str:
        _reveal(memory, household.play.game)
        return strategy.command(memory)

    return _player(household, choose)


def random_player(environment: Environment, rng: random.Random) -> Player:
    """Any of the commands that can be carried out, all equally likely."""
    household = _household(environment)
    return _player(household, lambda: rng.choice(household.choices()))


SCRIPTS: dict[str, Script] = {"expert": expert, "omniscient": omniscient, "random": random_player, "novice": novice}


def _household(environment: Environment) -> HouseholdTools | HouseholdText:
    assert isinstance(environment, HouseholdTools | HouseholdText), f"no household: {environment!r}"
    return environment


def _player(household: HouseholdTools | HouseholdText, choose: Callable[[], str]) -> Player:
    def play(_: Sequence[Message]) -> Message:
        return household.message(choose())

    return play


def _searcher(
    household: HouseholdTools | HouseholdText, rng: random.Random, *, noise: float, knows_homes: bool
) -> Player:
    memory = Memory(household.play.observation)
    strategy = Strategy(household.play.game.house.goal, rng, knows_homes=knows_homes)
    last: str | None = None

    def choose() -> str:
        nonlocal last
        if last is not None:
            memory.note(last, household.play.observation)
        wanders = noise > 0 and rng.random() < noise
        last = rng.choice(household.choices()) if wanders else strategy.command(memory)
        return last

    return _player(household, choose)


def _broken(message: Message, rng: random.Random) -> Message:
    """The message broken off somewhere, with a word on its end that does not belong there."""
    word = rng.choice(tuple(COMMANDS))
    if not message.tool_calls:
        return Message("assistant", f"{_start(message.text, rng)}{word}")
    call = message.tool_calls[0]
    written = json.dumps({"name": call.name, "arguments": call.arguments})
    return Message("assistant", "", (ToolCall("", f"{_start(written, rng)}{word}", call.id),))


def _start(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text))]


def _reveal(memory: Memory, game: Game) -> None:
    """Fill the memory with the truth; what takes the fewest commands to get comes first."""
    places, things = game.house.receptacles, game.house.things
    memory.here = {places[index].name for index in game.here}
    memory.held = things[game.held].name if game.held != NOTHING else None
    memory.closed = {place.name for index, place in enumerate(places) if not game.can_see_into(index)}
    done = treated(game, game.house.goal.kind.treatment)
    memory.treated = {thing.name for index, thing in enumerate(things) if done >> index & 1}
    nearest = sorted(
        range(len(places)), key=lambda index: (index not in game.here, places[index].name in memory.closed)
    )
    memory.where = {}
    for index in nearest:
        for thing in game.contents[index]:
            memory.where.setdefault(things[thing].name, places[index].name)  # real games have things in two places
