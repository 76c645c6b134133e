"""Curricula decide which tasks come next, how many trajectories each gets, and which groups are worth training on."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from agentrl.errors import ConfigError
from agentrl.trajectory import Group, Task

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What the next group is about."""

    task: Task
    group_size: int | None = None  # None: the plan's
    prior: Mapping[str, float] = field(default_factory=dict[str, float])  # becomes `Group.prior`


class Curriculum(Protocol):
    """Draws tasks, and learns from what became of them. Same seed and same groups => same draws."""

    def draw(self) -> Draw | None:
        """What the next group is about; None where the tasks have run out."""
        ...

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """Of the groups that are complete, in order, those to train on; what is left out is replaced by new ones.

        Each group is asked about once, and learnt from, whether it is kept or not.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """What is needed to go on drawing, as JSON values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        ...


def uniform(tasks: Sequence[T], *, seed: int = 0, start: int = 0) -> Iterator[T]:
    """All tasks in a shuffled order, then again in another, without end.

    Args:
        tasks: What to choose from.
        seed: Same seed => same order.
        start: How many were drawn by an earlier process (resume).

    Raises:
        ConfigError: There are none.
    """
    if not tasks:
        raise ConfigError("There are no tasks to draw from: choose another split, or other arguments of its suite.")
    return _shuffled(tasks, seed, start)


def _shuffled(tasks: Sequence[T], seed: int, start: int) -> Iterator[T]:
    epoch, offset = divmod(start, len(tasks))
    while True:
        order = list(range(len(tasks)))
        random.Random(f"{seed}/{epoch}").shuffle(order)
        for index in order[offset:]:
            yield tasks[index]
        epoch, offset = epoch + 1, 0


class Uniform:
    """Every task equally often, in the order of `uniform`.

    Args:
        tasks: What is drawn from.
        seed: Same seed => same order.
        epochs: How many times each task is drawn; None: without end.
    """

    def __init__(self, tasks: Sequence[Task], *, seed: int = 0, epochs: int | None = None) -> None:
        if epochs is not None and epochs < 1:
            raise ConfigError(f"epochs must be at least 1; got {epochs}.")
        self._tasks = tasks
        self._seed = seed
        self._num_draws = None if epochs is None else epochs * len(tasks)
        self._num_drawn = 0
        self._order = uniform(tasks, seed=seed)

    def draw(self) -> Draw | None:
        """The next task; None after the last epoch."""
        if self._num_drawn == self._num_draws:
            return None
        self._num_drawn += 1
        return Draw(task=next(self._order))

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """All of them."""
        return list(groups)

    def state_dict(self) -> dict[str, Any]:
        """How many were drawn."""
        return {"num_drawn": self._num_drawn}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._num_drawn = state["num_drawn"]
        self._order = uniform(self._tasks, seed=self._seed, start=self._num_drawn)
