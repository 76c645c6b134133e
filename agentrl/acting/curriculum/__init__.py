"""Curricula decide which tasks come next, how many trajectories each gets, and which groups are worth training on."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from agentrl.trajectory import Group, Task


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


def uniform(tasks: Sequence[Task], *, seed: int = 0, start: int = 0) -> Iterator[Task]:
    """All tasks in a shuffled order, then again in another, without end.

    Args:
        tasks: What to choose from.
        seed: Same seed => same order.
        start: How many were drawn by an earlier process (resume).
    """
    epoch, offset = divmod(start, len(tasks))
    while True:
        order = list(range(len(tasks)))
        random.Random(f"{seed}/{epoch}").shuffle(order)
        for index in order[offset:]:
            yield tasks[index]
        epoch, offset = epoch + 1, 0
