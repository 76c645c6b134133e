"""Replay: what went better than usual in the last steps is trained on again."""

import math
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, median
from typing import Any

from agentrl.acting.explore import Explorer, OpenGroup, Play, Siblings
from agentrl.errors import ConfigError
from agentrl.trajectory import Group, StoredTrajectory, Trajectory, from_values, to_values

_MAX_HISTORY = 10_240  # groups


class Replay(Explorer):
    """Plays independent trajectories, keeps the good ones, and from time to time adds some of them to a step's groups.

    Good is what earned more than the mean of its group, in at least one turn that could be tried. Each trajectory that
    is replayed is a group of its own, of the kind "replay". Since it has no siblings any more, it is to be compared
    with `prior["value"]`: there it is the median of the last groups' mean rewards, and only trajectories above it are
    replayed; for the groups of the step it is their own mean. Versions and log-probabilities are those of the policy
    that sampled them.

    Args:
        size: How many are replayed at most; half as many again must be in the buffer, which then is emptied.
        max_age: Updates after which a trajectory is forgotten.
        share: Of `size`, replayed once the ramp has ended.
        ramp: Updates over which the number rises, from none along half a cosine.

    Source: SPEAR, arXiv 2509.22601; TencentYoutuResearch/SPEAR, ray_trainer_hybrid.py (TrajectoryBufferBatch).
    Differs: It is trajectories that are counted, not rows of a batch, and their number need not be a power of two. They
        are part of the step's batch, not of an optimizer step of their own; so the coefficient and its ramp act on how
        many there are, not on their loss. "Better than the mean" is by reward, not by advantage. A text action counts
        as a tool call. The reward for calling tools is for the environment to give.
    Checked: From a description of the official code.
    """

    def __init__(self, *, size: int = 128, max_age: int = 10, share: float = 1.0, ramp: int = 200) -> None:
        if size < 1 or max_age < 1 or not 0 < share <= 1 or ramp < 0:
            raise ConfigError(
                "size and max_age must be at least 1, share in (0, 1] and ramp not negative; got "
                f"{size}, {max_age}, {share} and {ramp}."
            )
        self._size = size
        self._max_age = max_age
        self._share = share
        self._ramp = ramp
        self._buffer: list[StoredTrajectory] = []  # each with the version of its last turn
        self._means: deque[float] = deque(maxlen=_MAX_HISTORY)
        self._num_replays = 0

    async def explore(self, group: OpenGroup, play: Play) -> list[Group]:
        """The group, of independent trajectories."""
        return [group.close(await Siblings(group, play).begin(group.size))]

    def finish(self, groups: Sequence[Group]) -> list[Group]:
        """The groups, each with its mean as the value to compare with, and what is replayed."""
        means = [fmean(one.total_reward for one in group.trajectories) for group in groups]
        self._means.extend(means)
        entries = [
            StoredTrajectory(trajectory=one, step=_version(one), group=group.id)
            for group, mean in zip(groups, means, strict=True)
            for one in group.trajectories
            if one.total_reward > mean and any(turn.valid for turn in one.turns)
        ]
        now = max((_version(one) for group in groups for one in group.trajectories), default=0)
        self._buffer = [entry for entry in self._buffer + entries if now - entry.step <= self._max_age]
        valued = [
            replace(group, prior={"value": mean, **group.prior}) for group, mean in zip(groups, means, strict=True)
        ]
        return valued + self._replayed(now)

    def _replayed(self, version: int) -> list[Group]:
        """Some of the buffer, if it holds enough."""
        usual = median(self._means) if self._means else 0.0
        usable = [entry for entry in self._buffer if entry.trajectory.total_reward > usual]
        if len(usable) <= 1.5 * self._size:
            return []
        self._buffer = []
        progress = min(1.0, version / self._ramp) if self._ramp else 1.0
        num = round(self._share * self._size * (1 - math.cos(math.pi * progress)) / 2)
        chosen = random.Random(self._num_replays).sample(usable, num)
        self._num_replays += 1
        return [
            Group(
                id=f"{entry.trajectory.id}-replay",
                task=entry.trajectory.task,
                trajectories=(entry.trajectory,),
                prior={"value": usual},
                kind="replay",
            )
            for entry in chosen
        ]

    def state_dict(self) -> dict[str, Any]:
        """The buffer, and what is usual."""
        return {
            "buffer": [to_values(entry) for entry in self._buffer],
            "means": list(self._means),
            "num_replays": self._num_replays,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._buffer = [from_values(entry) for entry in state["buffer"]]
        self._means = deque(state["means"], maxlen=_MAX_HISTORY)
        self._num_replays = state["num_replays"]


def _version(trajectory: Trajectory) -> int:
    return max(turn.version for turn in trajectory.turns)
