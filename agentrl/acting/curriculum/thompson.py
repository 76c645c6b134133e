"""Thompson sampling of tasks by their predicted success rate."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from agentrl.acting.curriculum import Draw
from agentrl.acting.curriculum.betas import Betas
from agentrl.acting.curriculum.pool import Pool
from agentrl.acting.curriculum.score import success_rate
from agentrl.errors import ConfigError
from agentrl.trajectory import Group, Task

_TARGET = 0.5  # the success rate at which a group's outcomes differ most


class Thompson:
    """Prefers tasks whose success rate, drawn from what is believed of it, is near one half.

    Args:
        tasks: What is drawn from.
        seed: Same seed and same groups => same draws.
        strategy: "topk": those nearest to one half. "threshold": those within the band, in any order; then the
            nearest to it.
        band: The success rates that "threshold" asks for.
        decay: Of what was believed of a task, the share that remains when its next group is learnt from (lambda).
        num_candidates: Tasks considered for each draw.
        block_size: Draws planned at once; `groups_per_step` gives the paper's batches.

    Source: MoPPS, arXiv 2507.04632; thu-rllab/MoPPS recipe/ours/mopps.py `PosteriorSampler`. After a group of n with
        success rate s: alpha <- lambda alpha + (1 - lambda) alpha_0 + n s, beta with 1 - s; alpha_0 = beta_0 = 1.
    Differs: A group of one counts as one; the official code sets both counts to 8 by a slip of operator precedence.
    Checked: The counts against vectors of the official code; the strategies re-typed.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        seed: int = 0,
        strategy: Literal["topk", "threshold"] = "topk",
        band: Sequence[float] = (0.3, 0.7),
        decay: float = 0.5,
        num_candidates: int = 4,
        block_size: int = 16,
    ) -> None:
        if strategy not in ("topk", "threshold"):
            raise ConfigError(f"strategy must be 'topk' or 'threshold'; got {strategy!r}.")
        if len(band) != 2 or not 0 <= band[0] <= band[1] <= 1:
            raise ConfigError(f"band must be two success rates in order; got {band!r}.")
        if not 0 <= decay <= 1:
            raise ConfigError(f"decay must be in [0, 1]; got {decay}.")
        self._low, self._high = (_TARGET, _TARGET) if strategy == "topk" else band
        self._decay = decay
        self._betas = Betas(prior=(1.0, 1.0))
        self._pool = Pool(tasks, seed=seed, block_size=block_size, num_candidates=num_candidates)

    def draw(self) -> Draw:
        """The next task of the block."""
        _, task = self._pool.draw(self._choose)
        return Draw(task=task)

    def _choose(self, candidates: Sequence[int], num: int, rng: random.Random) -> list[int]:
        drawn = {index: rng.betavariate(*self._betas.counts(index)) for index in candidates}
        return sorted(candidates, key=lambda index: max(self._low - drawn[index], drawn[index] - self._high, 0.0))[:num]

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """All of them, after counting their successes."""
        for index, group in self._pool.played(groups):
            num, rate = len(group.trajectories), success_rate(group)
            self._betas.observe(index, num * rate, num * (1 - rate), keep=self._decay, renew=1 - self._decay)
        return list(groups)

    def state_dict(self) -> dict[str, Any]:
        """What is planned, and what is believed."""
        return {"pool": self._pool.state_dict(), "betas": self._betas.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._pool.load_state_dict(state["pool"])
        self._betas.load_state_dict(state["betas"])
