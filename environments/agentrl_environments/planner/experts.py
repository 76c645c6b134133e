"""Scripted planners: an expert that takes the steps which the task names, one that errs, and one that guesses."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from types import MappingProxyType
from typing import TypeAlias

from agentrl.acting.environment import Environment
from agentrl.acting.suite import Player, Script
from agentrl.errors import ConfigError
from agentrl.messages import Message
from agentrl_environments.planner.env import PlannerEnvironment
from agentrl_environments.planner.plans import Plan
from agentrl_environments.planner.tools import UNITS

NOVICE_NOISE = 0.6  # share of a novice's plans that are guesses
NOVICE_SLIPS = 0.02  # share of a novice's messages that cannot be understood

_QUANTITY = re.compile(r"\b\d+(?:\.\d+)? [a-z]+\b")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def expert(environment: Environment, rng: random.Random) -> Player:
    """The first of the task's steps that has not succeeded yet; it is told them, and reads the memory alone."""
    planner = _planner(environment)
    return lambda _: planner.message(_next_plan(planner))


def novice(environment: Environment, rng: random.Random) -> Player:
    """The expert that guesses now and then, and at times cannot be understood: imperfect data to start from."""
    planner = _planner(environment)

    def play(_: Sequence[Message]) -> Message:
        if rng.random() < NOVICE_SLIPS:
            return Message("assistant", _next_plan(planner).tool)
        return planner.message(_guess(planner, rng) if rng.random() < NOVICE_NOISE else _next_plan(planner))

    return play


def random_player(environment: Environment, rng: random.Random) -> Player:
    """Any of the plans that the tools can carry out now: first a tool, then one of its sub-goals."""
    planner = _planner(environment)
    return lambda _: planner.message(_guess(planner, rng))


SCRIPTS: dict[str, Script] = {"expert": expert, "random": random_player, "novice": novice}


def _planner(environment: Environment) -> PlannerEnvironment:
    assert isinstance(environment, PlannerEnvironment), f"no planner's environment: {environment!r}"
    return environment


def _next_plan(planner: PlannerEnvironment) -> Plan:
    steps: Sequence[Sequence[str]] = planner.task.data.get("steps", ())
    if not steps:
        raise ConfigError(
            f"The expert needs to be told the way: the task {planner.task.id!r} has no 'steps', a list of [tool, "
            f"sub-goal]."
        )
    done = {(step.tool, step.sub_goal) for step in planner.memory if step.succeeded}
    tool, sub_goal = next((step for step in steps if tuple(step) not in done), steps[-1])
    return Plan(tool, sub_goal, "; ".join(step.result for step in planner.memory if step.succeeded))


def _guess(planner: PlannerEnvironment, rng: random.Random) -> Plan:
    possible = {name: _SUB_GOALS.get(name, _words)(planner) for name in planner.tools}
    tool = rng.choice([name for name, sub_goals in possible.items() if sub_goals])
    return Plan(tool, rng.choice(possible[tool]))


def _results(planner: PlannerEnvironment) -> list[str]:
    return [step.result for step in planner.memory if step.succeeded]


def _found(pattern: re.Pattern[str], planner: PlannerEnvironment) -> list[str]:
    """What the results hold of a form, each once."""
    return list(dict.fromkeys(match for result in _results(planner) for match in pattern.findall(result)))


def _words(planner: PlannerEnvironment) -> list[str]:
    """Sub-goals for a tool that is not known: a word of the question, or a result."""
    return [*str(planner.task.data["question"]).split(), *_results(planner)]


def _people(planner: PlannerEnvironment) -> list[str]:
    return list(planner.task.data.get("directory", {}))


def _cells(planner: PlannerEnvironment) -> list[str]:
    rows: Mapping[str, Mapping[str, str]] = planner.task.data.get("table", {})
    return [f"{row}, {column}" for row, cells in rows.items() for column in cells]


def _conversions(planner: PlannerEnvironment) -> list[str]:
    return [
        f"{quantity}, {unit}"
        for quantity in _found(_QUANTITY, planner)
        for units in UNITS.values()
        if quantity.partition(" ")[2] in units
        for unit in units
    ]


def _sums(planner: PlannerEnvironment) -> list[str]:
    numbers = [result for result in _results(planner) if result.isdecimal()]
    return [f"{one} {sign} {other}" for one, other in permutations(numbers, 2) for sign in "+-"]


def _days(planner: PlannerEnvironment) -> list[str]:
    spans = [quantity.split()[0] for quantity in _found(_QUANTITY, planner) if quantity.endswith(" days")]
    return [f"{day}, {span}" for day in _found(_DATE, planner) for span in spans]


_SubGoals: TypeAlias = Callable[[PlannerEnvironment], list[str]]
_SUB_GOALS: Mapping[str, _SubGoals] = MappingProxyType(
    {"directory": _people, "table": _cells, "convert": _conversions, "calculator": _sums, "calendar": _days}
)
