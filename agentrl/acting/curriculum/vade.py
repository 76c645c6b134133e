"""VADE: Thompson sampling of tasks by how informative their groups would be, with beliefs that fade unobserved."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from agentrl.acting.curriculum import Draw
from agentrl.acting.curriculum.betas import Betas
from agentrl.acting.curriculum.pool import Pool
from agentrl.acting.curriculum.score import success_rate
from agentrl.errors import ConfigError
from agentrl.trajectory import Group, Task

_PRIOR = (1.0, 1.0)


class Vade:
    """Prefers tasks with a high p (1 - p)^2, where p is drawn from what is believed of the task's success rate.

    The score is highest at p = 1/3: harder tasks are preferred to easier ones. Beliefs fade on two scales: a task's
    own counts when its next group is learnt from, and everybody's, towards the prior, with every group.

    Args:
        tasks: What is drawn from.
        seed: Same seed and same groups => same draws.
        decay: Of what was believed of a task, the share that remains when its next group is learnt from.
        drift: Of what is believed of any task beyond the prior, the share that remains after each group.
        num_candidates: Tasks considered for each draw.
        block_size: Draws planned at once.

    Source: VADE, arXiv 2511.18902: Beta posteriors, Thompson sampling by information gain, two-scale prior decay.
    Differs: The numbers are ours.
    Checked: From the paper's abstract alone. That the score is p (1 - p)^2 is how others quote it; what the two scales
        of the decay are is our reading.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        seed: int = 0,
        decay: float = 0.5,
        drift: float = 0.999,
        num_candidates: int = 4,
        block_size: int = 16,
    ) -> None:
        if not 0 <= decay <= 1 or not 0 <= drift <= 1:
            raise ConfigError(f"decay and drift must be in [0, 1]; got {decay} and {drift}.")
        self._decay = decay
        self._drift = drift
        self._betas = Betas(_PRIOR)
        self._num_learnt = 0  # groups
        self._learnt_at: dict[int, int] = {}  # by task: the number of groups when it was last observed
        self._pool = Pool(tasks, seed=seed, block_size=block_size, num_candidates=num_candidates)

    def draw(self) -> Draw:
        """The next task of the block."""
        _, task = self._pool.draw(self._choose)
        return Draw(task=task)

    def _choose(self, candidates: Sequence[int], num: int, rng: random.Random) -> list[int]:
        drawn = {index: rng.betavariate(*self._faded(index)) for index in candidates}
        return sorted(candidates, key=lambda index: -information(drawn[index]))[:num]

    def _faded(self, index: int) -> tuple[float, float]:
        kept = self._drift ** (self._num_learnt - self._learnt_at.get(index, self._num_learnt))
        (a, b), (a0, b0) = self._betas.counts(index), _PRIOR
        return a0 + kept * (a - a0), b0 + kept * (b - b0)

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """All of them, after counting their successes."""
        for index, group in self._pool.played(groups):
            num, rate = len(group.trajectories), success_rate(group)
            self._betas.set(index, self._faded(index))
            self._betas.observe(index, num * rate, num * (1 - rate), keep=self._decay, renew=1 - self._decay)
            self._num_learnt += 1
            self._learnt_at[index] = self._num_learnt
        return list(groups)

    def state_dict(self) -> dict[str, Any]:
        """What is planned, what is believed, and since when."""
        return {
            "pool": self._pool.state_dict(),
            "betas": self._betas.state_dict(),
            "num_learnt": self._num_learnt,
            "learnt_at": {str(index): number for index, number in self._learnt_at.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._pool.load_state_dict(state["pool"])
        self._betas.load_state_dict(state["betas"])
        self._num_learnt = state["num_learnt"]
        self._learnt_at = {int(index): number for index, number in state["learnt_at"].items()}


def information(rate: float) -> float:
    """How much a group of a task with this success rate teaches, up to a factor."""
    return rate * (1 - rate) ** 2
