"""Pool: the best tasks of a few, a block at a time, without making those that are not drawn."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from agentrl.acting.curriculum import uniform
from agentrl.errors import ConfigError
from agentrl.trajectory import Group, Task

Choose: TypeAlias = Callable[[Sequence[int], int, random.Random], list[int]]
"""Of the candidates, by their indices, so many, in the order in which they shall be drawn."""


class Pool:
    """Draws planned in blocks: the candidates of a block are the next tasks of the uniform order, all different.

    A block of `groups_per_step` is what papers call a batch: chosen at once, before any of it has been played. A block
    of one uses what was learnt until then. With few tasks the blocks are smaller, so that there remains a choice.

    Args:
        tasks: What is drawn from.
        seed: Same seed => same candidates, and the same chance in choosing.
        block_size: How many draws are planned at once.
        num_candidates: How many tasks are considered for each.
    """

    def __init__(self, tasks: Sequence[Task], *, seed: int, block_size: int, num_candidates: int) -> None:
        if block_size < 1 or num_candidates < 1:
            raise ConfigError(f"block_size and num_candidates must be at least 1; got {block_size}, {num_candidates}.")
        self._tasks = tasks
        self._seed = seed
        self._num_considered = min(block_size * num_candidates, len(tasks))
        self._block_size = max(1, min(block_size, self._num_considered // num_candidates))
        self._order = uniform(range(len(tasks)), seed=seed)
        self._num_passed = 0  # of the order
        self._num_blocks = 0
        self._planned: list[int] = []
        self._index_of: dict[str, int] = {}  # by id, of the tasks that were drawn

    def draw(self, choose: Choose) -> tuple[int, Task]:
        """The next task of the block, with its index; `choose` is asked when a new block is due."""
        if not self._planned:
            rng = random.Random(f"{self._seed}/block/{self._num_blocks}")
            self._planned = choose(self._candidates(), self._block_size, rng)
            self._num_blocks += 1
        index = self._planned.pop(0)
        task = self._tasks[index]
        self._index_of[task.id] = index
        return index, task

    def played(self, groups: Sequence[Group]) -> Iterator[tuple[int, Group]]:
        """The groups that say something of a task drawn from here, with the task's index."""
        for group in groups:
            index = self._index_of.get(group.task.id)
            if index is not None and group.trajectories:
                yield index, group

    def _candidates(self) -> list[int]:
        chosen: dict[int, None] = {}
        while len(chosen) < self._num_considered:
            chosen[next(self._order)] = None
            self._num_passed += 1
        return list(chosen)

    def state_dict(self) -> dict[str, Any]:
        """What is planned, and what was drawn."""
        return {
            "num_passed": self._num_passed,
            "num_blocks": self._num_blocks,
            "planned": list(self._planned),
            "drawn": dict(self._index_of),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._num_passed, self._num_blocks = state["num_passed"], state["num_blocks"]
        self._planned, self._index_of = list(state["planned"]), dict(state["drawn"])
        self._order = uniform(range(len(self._tasks)), seed=self._seed, start=self._num_passed)
