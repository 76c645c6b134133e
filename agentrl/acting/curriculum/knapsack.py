"""Knapsack: one budget of trajectories for many tasks, spent where it teaches most."""

import heapq
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agentrl.acting.curriculum import Draw
from agentrl.acting.curriculum.pool import Pool
from agentrl.acting.curriculum.score import success_rate
from agentrl.errors import ConfigError
from agentrl.trajectory import Group, Task

_CONFIDENCE = 0.9  # of seeing both a success and a failure: more trajectories than that takes are surplus


class Knapsack:
    """Draws tasks uniformly, and gives each a group size by its last success rate; the mean size is kept.

    Args:
        tasks: What is drawn from.
        seed: Same seed and same groups => same draws.
        mean_size: Trajectories a task on average, and those of a task that was never played; `rollout.group_size`.
        smallest: Of a group.
        largest: Of a group.
        block_size: Groups among which a budget is shared; `groups_per_step` gives the paper's batches.

    Source: Knapsack RL, arXiv 2509.25849; the authors' `sampling_budget_by_knapsack`. Maximises the sum of
        (1 - p^N - (1 - p)^N) p (1 - p)^2 over the tasks, for group sizes N between the bounds whose sum is fixed. What
        is more than the tasks with 0 < p < 1 can use goes to those that were never solved.
    Differs: The largest gains first, which finds the same optimum as the authors' dynamic programme, because each
        task's value is concave in N; a task at the smallest size counts with the value it has, where the authors' code
        counts 0; the surplus, too, respects the largest size. p is of the task's last group, not of the last epoch.
    Checked: Against brute force over all sizes; the rule for the surplus against the official code, read and re-typed.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        seed: int = 0,
        mean_size: int = 8,
        smallest: int = 2,
        largest: int = 128,
        block_size: int = 16,
    ) -> None:
        if not 1 <= smallest <= mean_size <= largest:
            raise ConfigError(
                f"Group sizes must be 1 <= smallest <= mean_size <= largest; got {smallest}, {mean_size}, {largest}."
            )
        self._bounds = (smallest, mean_size, largest)
        self._rates: dict[int, float] = {}
        self._sizes: dict[int, int] = {}  # of the block's groups, by task
        self._pool = Pool(tasks, seed=seed, block_size=block_size, num_candidates=1)

    def draw(self) -> Draw:
        """The next task of the block, with the size of its group."""
        index, task = self._pool.draw(self._plan)
        return Draw(task=task, group_size=self._sizes[index])

    def _plan(self, candidates: Sequence[int], num: int, rng: random.Random) -> list[int]:
        chosen = list(candidates[:num])
        sizes = group_sizes([self._rates.get(index) for index in chosen], *self._bounds)
        self._sizes = dict(zip(chosen, sizes, strict=True))
        return chosen

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """All of them, after noting their success rates."""
        for index, group in self._pool.played(groups):
            self._rates[index] = success_rate(group)
        return list(groups)

    def state_dict(self) -> dict[str, Any]:
        """What is planned, and the last success rates."""
        return {
            "pool": self._pool.state_dict(),
            "rates": {str(index): rate for index, rate in self._rates.items()},
            "sizes": {str(index): size for index, size in self._sizes.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._pool.load_state_dict(state["pool"])
        self._rates = {int(index): rate for index, rate in state["rates"].items()}
        self._sizes = {int(index): size for index, size in state["sizes"].items()}


def worth(size: int, rate: float) -> float:
    """What a group of this size teaches where its task has this success rate.

    It is the chance that outcomes differ, times how much a success improves the policy.
    """
    return (1 - rate**size - (1 - rate) ** size) * rate * (1 - rate) ** 2


def group_sizes(rates: Sequence[float | None], smallest: int, mean: int, largest: int) -> list[int]:
    """The sizes of the groups of tasks with these success rates; their sum is `mean` times their number.

    Args:
        rates: None where it is not known: such a group has the mean size, or more if nobody else can use it.
        smallest: Of a group.
        mean: Of the groups.
        largest: Of a group.
    """
    sizes = [mean if rate is None else smallest for rate in rates]
    rest = mean * len(sizes) - sum(sizes)
    between = {index: rate for index, rate in enumerate(rates) if rate is not None and 0 < rate < 1}
    useful = sum(min(largest - smallest, _num_needed(rate)) for rate in between.values())
    never = [index for index, rate in enumerate(rates) if rate == 0]
    others = never or [index for index in range(len(rates)) if index not in between]
    surplus = max(0, rest - useful)
    rest = rest - surplus + _level(sizes, others, surplus, largest)
    rest = _spend(sizes, between, rest, largest)
    _level(sizes, range(len(sizes)), rest, largest)
    return sizes


def _num_needed(rate: float) -> int:
    """How many trajectories it takes to see both outcomes, with confidence; at most that."""
    return int(math.log(1 - _CONFIDENCE) / math.log(max(rate, 1 - rate)))


def _spend(sizes: list[int], rates: Mapping[int, float], budget: int, largest: int) -> int:
    """Enlarge the groups, always the one that gains most by it; returns what is left when all are at their largest."""

    def gain(index: int) -> float:
        return worth(sizes[index] + 1, rates[index]) - worth(sizes[index], rates[index])

    heap = [(-gain(index), index) for index in rates if sizes[index] < largest]
    heapq.heapify(heap)
    while budget and heap:
        index = heapq.heappop(heap)[1]
        sizes[index] += 1
        budget -= 1
        if sizes[index] < largest:
            heapq.heappush(heap, (-gain(index), index))
    return budget


def _level(sizes: list[int], among: Iterable[int], budget: int, largest: int) -> int:
    """Enlarge the groups, always the smallest; returns what is left when all are at their largest."""
    heap = [(sizes[index], index) for index in among if sizes[index] < largest]
    heapq.heapify(heap)
    while budget and heap:
        size, index = heapq.heappop(heap)
        sizes[index] = size + 1
        budget -= 1
        if size + 1 < largest:
            heapq.heappush(heap, (size + 1, index))
    return budget
