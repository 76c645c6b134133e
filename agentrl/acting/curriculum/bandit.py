"""Bandit: which category of tasks teaches most at present."""

import math
import random
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from agentrl.acting.curriculum import Draw
from agentrl.acting.curriculum.bins import Bins, reader
from agentrl.acting.curriculum.score import NO_SPREAD, rewards
from agentrl.errors import ConfigError
from agentrl.trajectory import Group, Task

_NUM_SURVEYED = 1024  # tasks that are looked at for the categories there are


class Bandit:
    """Draws a category by how large its advantages have been lately, then its next task.

    The value of a category is a running mean of the mean absolute advantage of its trajectories. Categories are drawn
    with probabilities proportional to exp(value / temperature); one that is so rare that none of a thousand tasks has
    it is not drawn.

    Args:
        tasks: What is drawn from.
        seed: Same seed and same groups => same draws.
        key: The category: a key of the tasks' data, or a function of the task as "module:function".
        temperature: Higher is more even.
        rate: How much of a category's value comes from its last block (alpha).
        block_size: Groups learnt from before the values change; `groups_per_step` gives the paper's updates.
        std: Whether advantages are divided by the standard deviation of their group.

    Source: SEC, arXiv 2505.14970; the authors' verl/utils/auto_curriculum/priority.py `BanditPriority`, objective
        "adv" ("unnormalized_adv" without `std`), Boltzmann sampling, learning rate 0.5, temperature by task.
    Differs: A category without a group in the block keeps its value; the official code takes it to have earned 0. The
        advantage is relative to the group, whatever the credit function makes of it later.
    Checked: Against the official code, read and re-typed.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        seed: int = 0,
        key: str = "difficulty",
        temperature: float = 1.0,
        rate: float = 0.5,
        block_size: int = 16,
        std: bool = True,
    ) -> None:
        if not temperature > 0 or not 0 < rate <= 1 or block_size < 1:
            raise ConfigError(
                "Expected temperature > 0, rate in (0, 1] and block_size of at least 1; "
                f"got {temperature}, {rate} and {block_size}."
            )
        self._read = reader(key)
        self._seed = seed
        self._temperature = temperature
        self._rate = rate
        self._block_size = block_size
        self._std = std
        self._bins = Bins(tasks, category=self._category_of, seed=seed)
        self._values = dict.fromkeys(self._bins.survey(_NUM_SURVEYED), 0.0)
        self._num_drawn = 0
        self._block: list[tuple[str, float]] = []  # categories and mean absolute advantages, not yet learnt from

    def draw(self) -> Draw:
        """The next task of a category drawn by its value."""
        rng = random.Random(f"{self._seed}/category/{self._num_drawn}")
        self._num_drawn += 1
        highest = max(self._values.values())
        weights = [math.exp((value - highest) / self._temperature) for value in self._values.values()]
        category = rng.choices(list(self._values), weights)[0]
        return Draw(task=self._bins.draw(category))

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """All of them, after learning from their advantages."""
        for group in groups:
            category = self._category_of(group.task)
            if group.trajectories and category in self._values:
                self._block.append((category, mean_advantage(rewards(group), std=self._std)))
            if len(self._block) == self._block_size:
                self._learn()
        return list(groups)

    def _category_of(self, task: Task) -> str:
        return str(self._read(task))

    def _learn(self) -> None:
        for category in {category for category, _ in self._block}:
            earned = fmean(advantage for other, advantage in self._block if other == category)
            self._values[category] += self._rate * (earned - self._values[category])
        self._block = []

    def state_dict(self) -> dict[str, Any]:
        """The values, what was drawn, and what was not yet learnt from."""
        return {
            "values": dict(self._values),
            "num_drawn": self._num_drawn,
            "bins": self._bins.state_dict(),
            "block": [list(entry) for entry in self._block],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._values = dict(state["values"])
        self._num_drawn = state["num_drawn"]
        self._bins.load_state_dict(state["bins"])
        self._block = [(category, advantage) for category, advantage in state["block"]]


def mean_advantage(totals: Sequence[float], *, std: bool = True) -> float:
    """The mean absolute difference of a group's rewards from their mean, divided by their deviation if `std`."""
    if len(totals) < 2 or max(totals) - min(totals) < NO_SPREAD:
        return 0.0
    middle = fmean(totals)
    difference = fmean(abs(total - middle) for total in totals)
    return difference / (stdev(totals) + 1e-6) if std else difference
