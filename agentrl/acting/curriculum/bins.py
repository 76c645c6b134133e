"""Bins: tasks by category, sorted only as far as they are needed, since making a task may be slow."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentrl.acting.curriculum import uniform
from agentrl.choice import choose
from agentrl.errors import ConfigError
from agentrl.trajectory import Task


class Bins:
    """The tasks of each category in a shuffled order, then again in another, without end.

    Args:
        tasks: What is sorted.
        category: The category of a task.
        seed: Same seed => same orders.
    """

    def __init__(self, tasks: Sequence[Task], *, category: Callable[[Task], str], seed: int) -> None:
        self._tasks = tasks
        self._category = category
        self._seed = seed
        self._unsorted = uniform(range(len(tasks)), seed=seed)
        self._num_unsorted = len(tasks)
        self._members: dict[str, list[int]] = {}  # indices in the order in which they were found: it is shuffled
        self._num_drawn: dict[str, int] = {}
        self._orders: dict[str, tuple[int, list[int]]] = {}  # the epoch that a category is in, and its order

    def survey(self, num_tasks: int) -> list[str]:
        """The categories among so many of the tasks, sorted by name."""
        while self._num_unsorted and len(self._tasks) - self._num_unsorted < num_tasks:
            self._sort_one()
        return sorted(self._members)

    def require(self, category: str) -> None:
        """Make sure that there is a task.

        Raises:
            ConfigError: There is none.
        """
        self._find(category, 1)
        if category not in self._members:
            found = ", ".join(sorted(self._members))
            raise ConfigError(f"No task is in {category!r}; there are tasks in {found}.")

    def draw(self, category: str) -> Task:
        """The next task of a category that has some."""
        number = self._num_drawn.get(category, 0)
        self._num_drawn[category] = number + 1
        self._find(category, number + 1)
        members = self._members[category]
        epoch, place = divmod(number, len(members)) if not self._num_unsorted else (0, number)
        return self._tasks[self._order(category, epoch)[place]]

    def _order(self, category: str, epoch: int) -> list[int]:
        if epoch == 0:
            return self._members[category]
        known, order = self._orders.get(category, (0, []))
        if known != epoch:
            order = list(self._members[category])
            random.Random(f"{self._seed}/{category}/{epoch}").shuffle(order)
            self._orders[category] = (epoch, order)
        return order

    def _find(self, category: str, num: int) -> None:
        while self._num_unsorted and len(self._members.get(category, ())) < num:
            self._sort_one()

    def _sort_one(self) -> None:
        index = next(self._unsorted)
        self._num_unsorted -= 1
        self._members.setdefault(self._category(self._tasks[index]), []).append(index)

    def state_dict(self) -> dict[str, Any]:
        """How many were drawn of each category; the rest follows from the seed."""
        return dict(self._num_drawn)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._num_drawn = dict(state)


def reader(key: str) -> Callable[[Task], Any]:
    """What gives a task's value of `key`: an entry of its data, or what the function "module:function" makes of it."""
    if ":" in key:
        return choose({}, key, "key")

    def read(task: Task) -> Any:
        if key not in task.data:
            raise ConfigError(
                f"The task {task.id} has no {key!r} in its data; it has {', '.join(task.data) or 'none'}."
            )
        return task.data[key]

    return read
