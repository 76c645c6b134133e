"""Explorers decide which trajectories of a group are started, forked, resumed or replayed."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from agentrl.acting.rollout import Start
from agentrl.trajectory import Group, Task, Trajectory

Play: TypeAlias = Callable[[Start], Awaitable[Trajectory]]
"""Plays one trajectory when a place is free. What the machinery spoils is played again, so that what comes back is
scored, save when every attempt failed: then it is the last attempt, with its error."""


class Explorer(Protocol):
    """Plays the trajectories of one group at a time; many groups at once."""

    async def explore(self, group: "OpenGroup", play: Play) -> list[Group]:
        """The finished group, and whatever groups came out of it besides (recovery from an error, say)."""
        ...


class OpenGroup(Protocol):
    """A group that is about to be played."""

    id: str
    task: Task
    size: int
    seed: int
