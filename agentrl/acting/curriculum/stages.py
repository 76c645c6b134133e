"""Stages: the easy tasks first, the next ones when those are mastered."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from agentrl.acting.curriculum import Draw
from agentrl.acting.curriculum.bins import Bins, reader
from agentrl.acting.curriculum.score import success_rate
from agentrl.errors import ConfigError
from agentrl.trajectory import Group, Task

_NONE = "no stage"


class Stages:
    """Draws the tasks of one stage uniformly, and goes on to the next when enough are solved, or after long enough.

    Args:
        tasks: What is drawn from.
        seed: Same seed => same orders.
        key: The difficulty: a key of the tasks' data, or a function of the task as "module:function".
        stages: From easy to hard, the difficulty of each stage's tasks: a word; or a number, the highest that belongs
            to it: [3, 8, inf]. Tasks of no stage are not drawn.
        threshold: The mean success rate of the last groups at which a stage is over. None: it is over by their number.
        window: How many groups that mean is over.
        max_groups: After so many complete groups a stage is over anyway. None: never.

    Source: CRAFT-GUI, arXiv 2508.11360: tasks of 1-3, of 4-8 and of more steps, one after the other.
    Differs: When to go on is by success or by number, whichever comes first.
    Checked: From descriptions of the paper alone.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        seed: int = 0,
        key: str = "difficulty",
        stages: Sequence[str | float] = (),
        threshold: float | None = 0.8,
        window: int = 32,
        max_groups: int | None = None,
    ) -> None:
        if not stages:
            raise ConfigError("stages must list the difficulties from easy to hard; it is empty.")
        if threshold is None and max_groups is None:
            raise ConfigError("A stage needs a threshold or max_groups to come to an end; got neither.")
        if window < 1:
            raise ConfigError(f"window must be at least 1; got {window}.")
        self._read = reader(key)
        self._stages = _checked(stages)
        self._threshold = threshold
        self._max_groups = math.inf if max_groups is None else max_groups
        self._bins = Bins(tasks, category=self._stage_of, seed=seed)
        for stage in self._stages:
            self._bins.require(str(stage))
        self._number = 0  # of the stage
        self._num_groups = 0  # of this stage, complete
        self._last: deque[float] = deque(maxlen=window)

    def draw(self) -> Draw:
        """The next task of the stage."""
        return Draw(task=self._bins.draw(str(self._stages[self._number])))

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """All of them, after looking at how well this stage's went."""
        for group in groups:
            if group.trajectories and self._stage_of(group.task) == str(self._stages[self._number]):
                self._num_groups += 1
                self._last.append(success_rate(group))
                if self._is_over() and self._number + 1 < len(self._stages):
                    self._number += 1
                    self._num_groups = 0
                    self._last.clear()
        return list(groups)

    def _is_over(self) -> bool:
        is_full = len(self._last) == self._last.maxlen
        is_mastered = self._threshold is not None and is_full and fmean(self._last) >= self._threshold
        return is_mastered or self._num_groups >= self._max_groups

    def _stage_of(self, task: Task) -> str:
        difficulty = self._read(task)
        for stage in self._stages:
            is_below = isinstance(stage, int | float) and isinstance(difficulty, int | float) and difficulty <= stage
            if is_below or difficulty == stage:
                return str(stage)
        return _NONE

    def state_dict(self) -> dict[str, Any]:
        """The stage, and how it went so far."""
        return {
            "number": self._number,
            "num_groups": self._num_groups,
            "last": list(self._last),
            "bins": self._bins.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._number, self._num_groups = state["number"], state["num_groups"]
        self._last = deque(state["last"], maxlen=self._last.maxlen)
        self._bins.load_state_dict(state["bins"])


def _checked(stages: Sequence[str | float]) -> list[str | float]:
    """The stages, if they are all words, or numbers in order."""
    numbers = [stage for stage in stages if not isinstance(stage, str)]
    if numbers and (len(numbers) < len(stages) or numbers != sorted(set(numbers))):
        raise ConfigError(f"stages must be words, or numbers in ascending order; got {list(stages)}.")
    return list(stages)
