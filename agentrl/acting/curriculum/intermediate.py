"""Intermediate difficulty: of some tasks, those whose predicted success rate is nearest to one half."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from agentrl.acting.curriculum import Draw
from agentrl.acting.curriculum.betas import Betas
from agentrl.acting.curriculum.pool import Pool
from agentrl.acting.curriculum.score import success_rate
from agentrl.errors import ConfigError
from agentrl.trajectory import Group, Task


class Intermediate:
    """Prefers tasks that the policy is expected to solve every other time; those never played are taken to be such.

    Args:
        tasks: What is drawn from.
        seed: Same seed and same groups => same draws.
        target: The success rate asked for.
        rho: Of a task's counts, the share that remains when its next group is learnt from.
        num_candidates: Tasks considered for each draw (the paper's k).
        block_size: Draws planned at once; `groups_per_step` gives the paper's batches.

    Source: PCL, arXiv 2510.01135: of k m candidates, the m whose predicted value is nearest to the target.
    Differs: The prediction is a running mean of each task's own past, not a value model that generalises between tasks:
        what was never played is predicted to be at one half, and so is tried early.
    Checked: From the paper's text alone.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        seed: int = 0,
        target: float = 0.5,
        rho: float = 0.875,
        num_candidates: int = 4,
        block_size: int = 16,
    ) -> None:
        if not 0 <= target <= 1 or not 0 <= rho <= 1:
            raise ConfigError(f"target and rho must be in [0, 1]; got {target} and {rho}.")
        self._target = target
        self._rho = rho
        self._betas = Betas(prior=(0.5, 0.5))
        self._pool = Pool(tasks, seed=seed, block_size=block_size, num_candidates=num_candidates)

    def draw(self) -> Draw:
        """The next task of the block."""
        _, task = self._pool.draw(self._choose)
        return Draw(task=task)

    def _choose(self, candidates: Sequence[int], num: int, rng: random.Random) -> list[int]:
        return sorted(candidates, key=lambda index: abs(self._betas.mean(index) - self._target))[:num]

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """All of them, after counting their successes."""
        for index, group in self._pool.played(groups):
            num, rate = len(group.trajectories), success_rate(group)
            self._betas.observe(index, num * rate, num * (1 - rate), keep=self._rho)
        return list(groups)

    def state_dict(self) -> dict[str, Any]:
        """What is planned, and the counts."""
        return {"pool": self._pool.state_dict(), "betas": self._betas.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._pool.load_state_dict(state["pool"])
        self._betas.load_state_dict(state["betas"])
