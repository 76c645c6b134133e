"""Value tracker: a baseline a task, remembered from its past, so that a group may be a single trajectory."""

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentrl.acting.curriculum import Draw
from agentrl.acting.curriculum.betas import Betas
from agentrl.acting.curriculum.pool import Pool
from agentrl.acting.curriculum.score import rewards
from agentrl.choice import choose
from agentrl.errors import ConfigError
from agentrl.trajectory import Group, Task

_RHO = (0.875, 0.96)  # between which the share that remains is held
_HALF = 0.06  # nats of mean |change of log-probability| after which half remains
_EXPLORATION = 0.05


class Value:
    """Gives each draw the value that its task had so far, and prefers tasks whose outcome is uncertain.

    `Draw.prior` is {"value": v}, in the units of the reward. With v scaled to [0, 1], tasks are drawn with weights
    sqrt(v (1 - v)) + 0.05, without replacement, out of the candidates.

    Args:
        tasks: What is drawn from.
        seed: Same seed and same groups => same draws.
        rho: Of a task's counts, the share that remains when its next group is learnt from: a number, or a function of
            that group, itself or as "module:function", whose result is held between 0.875 and 0.96.
        reward_range: The total rewards that count as a failure and as a success; between them is linear.
        offline: A JSON file with the total rewards of trajectories played before, by task id. None: every value starts
            at the middle, with the weight of one trajectory.
        num_candidates: Tasks considered for each draw.
        block_size: Draws planned at once.

    Source: SPO, arXiv 2509.13232; verl-recipe spo/spo_ray_trainer.py. alpha <- rho alpha + r, beta <- rho beta + 1 - r,
        v = alpha / (alpha + beta) before the update.
    Differs: rho is constant by default, as with the official `rho.type=constant`: how far the policy has moved on the
        task's previous trajectory is not known while acting; `remaining` is the official function of it. A group of
        several is forgotten for once, and each of its trajectories counts (officially the last one alone does).
    Checked: The update, the weights and the start against the official code, read and re-typed.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        seed: int = 0,
        rho: float | str | Callable[[Group], float] = _RHO[0],
        reward_range: Sequence[float] = (0.0, 1.0),
        offline: str | None = None,
        num_candidates: int = 4,
        block_size: int = 16,
    ) -> None:
        if len(reward_range) != 2 or not reward_range[0] < reward_range[1]:
            raise ConfigError(f"reward_range must be two rewards in order; got {reward_range!r}.")
        if isinstance(rho, int | float) and not 0 <= rho <= 1:
            raise ConfigError(f"rho must be in [0, 1]; got {rho}.")
        self._low, self._high = reward_range
        self._rho: float | Callable[[Group], float] = choose({}, rho, "rho") if isinstance(rho, str) else rho
        self._betas = Betas(prior=(0.5, 0.5))
        self._pool = Pool(tasks, seed=seed, block_size=block_size, num_candidates=num_candidates)
        if offline is not None:
            self._start(tasks, _read(Path(offline)))

    def _start(self, tasks: Sequence[Task], played: Mapping[str, Sequence[float]]) -> None:
        for index, task in enumerate(tasks):
            scores = [self._score(reward) for reward in played.get(task.id, ())]
            if scores:
                self._betas.set(index, starting_counts(sum(scores), len(scores)))

    def _score(self, reward: float) -> float:
        return min(1.0, max(0.0, (reward - self._low) / (self._high - self._low)))

    def draw(self) -> Draw:
        """The next task of the block, with the value it has now."""
        index, task = self._pool.draw(self._choose)
        value = self._low + self._betas.mean(index) * (self._high - self._low)
        return Draw(task=task, prior={"value": value})

    def _choose(self, candidates: Sequence[int], num: int, rng: random.Random) -> list[int]:
        # The largest u^(1/w) are a sample without replacement with weights w: Efraimidis, Spirakis 2006.
        keys = {index: rng.random() ** (1 / uncertainty(self._betas.mean(index))) for index in candidates}
        return sorted(candidates, key=lambda index: -keys[index])[:num]

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """All of them, after counting their rewards."""
        for index, group in self._pool.played(groups):
            scores = [self._score(reward) for reward in rewards(group)]
            keep = self._rho if isinstance(self._rho, int | float) else _held(self._rho(group))
            self._betas.observe(index, sum(scores), len(scores) - sum(scores), keep=keep)
        return list(groups)

    def state_dict(self) -> dict[str, Any]:
        """What is planned, and the counts."""
        return {"pool": self._pool.state_dict(), "betas": self._betas.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._pool.load_state_dict(state["pool"])
        self._betas.load_state_dict(state["betas"])


def uncertainty(value: float) -> float:
    """The weight with which a task of this value, scaled to [0, 1], is drawn."""
    return math.sqrt(max(0.0, value * (1 - value))) + _EXPLORATION


def remaining(divergence: float) -> float:
    """Of a task's counts, the share that remains after the policy has moved so far on the task's last trajectory.

    Args:
        divergence: Mean absolute change of the log-probability of the tokens that the policy sampled, in nats.
    """
    return _held(2 ** (-divergence / _HALF))


def starting_counts(num_successes: float, num_samples: int) -> tuple[float, float]:
    """The counts of a task that was played so often before; they weigh as much as they do in the long run."""
    weight = 1 / (1 - _RHO[0]) / (num_samples + 1)
    return weight * (num_successes + 0.5), weight * (num_samples - num_successes + 0.5)


def _held(rho: float) -> float:
    return min(_RHO[1], max(_RHO[0], rho))


def _read(path: Path) -> Mapping[str, Sequence[float]]:
    if not path.is_file():
        raise ConfigError(f"There is no file of rewards at {path}.")
    try:
        played = json.loads(path.read_text())
        return {str(task): [float(reward) for reward in rewards] for task, rewards in played.items()}
    except (json.JSONDecodeError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"{path} must be a JSON object of task ids and lists of rewards: {error}.") from error
