"""Rewards: functions that say how good a turn or a trajectory was.

A reward that cannot be decided is `None`, and one that fails is an error; neither is 0. Like tools, `async def` runs on
the event loop and `def` in a thread of its own.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, SupportsFloat, TypeAlias, TypeVar, cast, overload

from agentrl.acting.deadline import THREAD_PLACES, in_thread, within
from agentrl.errors import ConfigError, GraderError, boundary
from agentrl.trajectory import Task, Trajectory, Turn

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")

DEADLINE_SECONDS = 60.0  # of one reward function

_OF_TRAJECTORY: Mapping[str, type] = {"trajectory": Trajectory, "task": Task}
_OF_TURN: Mapping[str, type] = {"turn": Turn, "task": Task}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reward(Generic[P, R]):
    """A function that says how good a turn or a trajectory was. Calling it calls the function."""

    function: Callable[P, R]
    name: str
    weight: float  # its value is multiplied by this
    per_turn: bool
    filled: Mapping[str, str]  # parameter -> what it gets: "trajectory", "turn" or "task"
    is_method: bool
    is_async: bool

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function returns."""
        return self.function(*args, **kwargs)

    @overload
    def __get__(self, instance: None, owner: type) -> "Reward[P, R]": ...
    @overload
    def __get__(self: "Reward[Concatenate[Any, Q], R]", instance: object, owner: type) -> "Reward[Q, R]": ...
    def __get__(self, instance: object | None, owner: type) -> "Reward[..., Any]":
        return self if instance is None else self.bind(instance)

    def bind(self, instance: object) -> "Reward[..., R]":
        """The reward of that instance, where it is a method."""
        return replace(self, function=self.function.__get__(instance)) if self.is_method else self


AnyReward: TypeAlias = Reward[..., Any]


class Rewarded(Protocol):
    """Something that offers rewards: an Environment."""

    @property
    def rewards(self) -> tuple[AnyReward, ...]:
        """The rewards, bound."""
        ...


@overload
def reward(function: Callable[P, R], /) -> Reward[P, R]: ...
@overload
def reward(*, weight: float = 1.0, name: str | None = None) -> Callable[[Callable[P, R]], Reward[P, R]]: ...
def reward(function: Callable[..., Any] | None = None, /, *, weight: float = 1.0, name: str | None = None) -> Any:
    """A reward of the whole trajectory, made of a method of an Environment or of a function.

    It returns a number, a bool, or None where it cannot be decided, and may ask for `trajectory` and `task`.

    Args:
        function: Sync or async.
        weight: What its value is multiplied by.
        name: What it is recorded as; the function's name if not given.

    Raises:
        ConfigError: The function asks for something else.
    """
    make = partial(_make, weight=weight, name=name, per_turn=False)
    return make if function is None else make(function)


@overload
def turn_reward(function: Callable[P, R], /) -> Reward[P, R]: ...
@overload
def turn_reward(*, weight: float = 1.0, name: str | None = None) -> Callable[[Callable[P, R]], Reward[P, R]]: ...
def turn_reward(function: Callable[..., Any] | None = None, /, *, weight: float = 1.0, name: str | None = None) -> Any:
    """A reward of each turn, made of a method of an Environment or of a function.

    It is called after every turn, returns a number or a bool, and may ask for `turn` and `task`. None, where it
    cannot be decided, excludes the trajectory.

    Args:
        function: Sync or async.
        weight: What its value is multiplied by.
        name: What it is recorded as; the function's name if not given.

    Raises:
        ConfigError: The function asks for something else.
    """
    make = partial(_make, weight=weight, name=name, per_turn=True)
    return make if function is None else make(function)


def rewards_of(instance: object) -> tuple[AnyReward, ...]:
    """The methods of the instance that are marked with `@reward` or `@turn_reward`, bound to it."""
    return tuple(entry.bind(instance) for entry in _rewards_of_class(type(instance)))


def checked_names(rewards: Iterable[AnyReward]) -> tuple[AnyReward, ...]:
    """The rewards.

    Raises:
        ConfigError: Two have the same name.
    """
    found = tuple(rewards)
    names = [entry.name for entry in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"Two rewards are called {twice[0]!r}; give one of them another name: @reward(name=...).")
    return found


async def score_turn(
    environment: Rewarded, turn: Turn, task: Task, *, seconds: float = DEADLINE_SECONDS
) -> dict[str, float]:
    """The weighted values of the turn rewards, by name.

    Raises:
        GraderError: One failed, took longer than `seconds`, or could not be decided.
    """
    values: dict[str, float] = {}
    for entry in environment.rewards:
        if entry.per_turn:
            value = await _evaluate(entry, {"turn": turn, "task": task}, seconds)
            if value is None:
                raise GraderError(f"the turn reward {entry.name} could not be decided (it returned None)")
            values[entry.name] = value
    return values


async def score_trajectory(
    environment: Rewarded, trajectory: Trajectory, *, seconds: float = DEADLINE_SECONDS
) -> dict[str, float | None]:
    """The weighted values of the trajectory rewards, by name; None where one could not be decided.

    Raises:
        GraderError: One failed or took longer than `seconds`.
    """
    offered = {"trajectory": trajectory, "task": trajectory.task}
    return {entry.name: await _evaluate(entry, offered, seconds) for entry in environment.rewards if not entry.per_turn}


def _make(function: Callable[..., Any], *, weight: float, name: str | None, per_turn: bool) -> AnyReward:
    if not inspect.isfunction(function):
        raise ConfigError(f"A reward must be a `def` or `async def`; got {function!r}.")
    called = name or function.__name__
    if not math.isfinite(weight):
        raise ConfigError(f"The reward {called} has weight={weight!r}; it must be finite.")
    parameters = list(inspect.signature(function).parameters.values())
    is_method = bool(parameters) and parameters[0].name == "self"
    return Reward(
        function=function,
        name=called,
        weight=weight,
        per_turn=per_turn,
        filled=_fill(parameters[is_method:], called, _OF_TURN if per_turn else _OF_TRAJECTORY),
        is_method=is_method,
        is_async=inspect.iscoroutinefunction(function),
    )


def _fill(parameters: Iterable[inspect.Parameter], name: str, offered: Mapping[str, type]) -> dict[str, str]:
    """What each parameter gets: by its type, or by its name."""
    filled: dict[str, str] = {}
    for parameter in parameters:
        by_type = [key for key, kind in offered.items() if parameter.annotation in (kind, kind.__name__)]
        if by_type or parameter.name in offered:
            filled[parameter.name] = by_type[0] if by_type else parameter.name
        elif parameter.default is parameter.empty:
            raise ConfigError(f"The reward {name} asks for {parameter}; it can be given {' and '.join(offered)}.")
    return filled


@cache
def _rewards_of_class(owner: type) -> tuple[AnyReward, ...]:
    attributes: dict[str, Any] = {}
    for ancestor in reversed(owner.__mro__):
        attributes |= vars(ancestor)
    return checked_names(cast(AnyReward, value) for value in attributes.values() if isinstance(value, Reward))


async def _evaluate(entry: AnyReward, offered: Mapping[str, Any], seconds: float) -> float | None:
    arguments = {parameter: offered[key] for parameter, key in entry.filled.items()}
    where = f"the reward {entry.name}"
    with boundary(GraderError, where):
        if entry.is_async:
            value = await within(seconds, entry.function(**arguments), what=where)
        else:
            async with THREAD_PLACES.here():
                value = await within(seconds, in_thread(partial(entry.function, **arguments)), what=where)
        return _weighted(entry, value)


def _weighted(entry: AnyReward, value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, SupportsFloat):
        raise GraderError(f"the reward {entry.name} returned {value!r}; it must return a number, a bool or None")
    weighted = float(value) * entry.weight
    if not math.isfinite(weighted):
        raise GraderError(f"the reward {entry.name} returned {value!r}, times {entry.weight:g}; it must be finite")
    return weighted
