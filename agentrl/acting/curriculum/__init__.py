"""Curricula decide which tasks come next."""

import random
from collections.abc import Iterator, Sequence

from agentrl.trajectory import Task


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
