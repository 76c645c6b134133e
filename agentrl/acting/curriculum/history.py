"""History: what a task's rewards were so far, given to each of its groups."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from agentrl.acting.curriculum import Curriculum, Draw, Uniform
from agentrl.acting.curriculum.score import rewards
from agentrl.trajectory import Group, Task


class Past(NamedTuple):
    """The rewards of a task's groups so far."""

    num_groups: int = 0
    mean: float = 0.0
    std: float = 0.0


class History:
    """Adds to what another curriculum draws how the task went before: `prior` has its "mean", "std" and "count".

    Args:
        tasks: What is drawn from.
        seed: Of the inner curriculum.
        inner: What draws the tasks. None: `Uniform`.

    Source: DCPO, arXiv 2509.02333, smooth advantage standardisation; lime-RL/DCPO
        verl/trainer/ppo/core_algos.py `compute_dcpo_outcome_advantage`.
    Differs: Groups of one have a standard deviation of 0.
    Checked: Against vectors of the official code.
    """

    def __init__(self, tasks: Sequence[Task], *, seed: int = 0, inner: Curriculum | None = None) -> None:
        self._inner = inner or Uniform(tasks, seed=seed)
        self._past: dict[str, Past] = {}  # by task id

    def draw(self) -> Draw | None:
        """What the inner curriculum draws, with the task's past."""
        draw = self._inner.draw()
        if draw is None:
            return None
        past = self._past.get(draw.task.id, Past())
        known = {"mean": past.mean, "std": past.std, "count": float(past.num_groups)}
        return Draw(task=draw.task, group_size=draw.group_size, prior={**draw.prior, **known})

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """Those that the inner curriculum selects; the past is of all of them."""
        for group in groups:
            if group.trajectories:
                before = self._past.get(group.task.id, Past())
                self._past[group.task.id] = joined(before, rewards(group))
        return self._inner.select(groups)

    def state_dict(self) -> dict[str, Any]:
        """The inner curriculum's, and the past of the tasks."""
        return {"inner": self._inner.state_dict(), "past": {task: list(past) for task, past in self._past.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._inner.load_state_dict(state["inner"])
        self._past = {task: Past(*past) for task, past in state["past"].items()}


def joined(past: Past, new: Sequence[float]) -> Past:
    """The past with one more group; every group weighs the same, however large it is."""
    mean, std = fmean(new), stdev(new) if len(new) > 1 else 0.0
    before, now = past.num_groups, past.num_groups + 1
    variance = (before * past.std**2 + std**2 + before / now * (mean - past.mean) ** 2) / now
    return Past(now, (before * past.mean + mean) / now, math.sqrt(variance))
