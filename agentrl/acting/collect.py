"""Collect: many trajectories at once, each at its own pace, in groups of siblings.

There is no barrier between trajectories: whenever one ends, the next one starts. What the machinery spoilt is
excluded and played again, so that a group always has its full size.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from types import TracebackType
from typing import Self

from agentrl.acting.deadline import stop
from agentrl.acting.rollout import Start
from agentrl.errors import RolloutError
from agentrl.trajectory import Group, Outcome, Task, Trajectory

logger = logging.getLogger(__name__)

_MIN_ENDED_TO_JUDGE = 20  # trajectories; an error rate over fewer says little


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many trajectories, when."""

    group_size: int = 1
    groups_per_step: int = 1
    concurrency: int = 64  # trajectories in flight
    max_policy_lag: int = 0  # updates between a turn's sampling and its training; 0: collect, then train
    max_error_rate: float = 0.5  # share of trajectories lost to the machinery above which collecting stops
    max_attempts: int = 8  # per member of a group; then the group's task is given up
    hard_seconds: float = 1000.0  # a trajectory that has not returned by then, cancelled or not, is abandoned
    seed: int = 0


@dataclass(slots=True)
class _Seat:
    """One member of a group: who plays there now."""

    group: "_OpenGroup"
    number: int
    attempt: int = 0
    deadline: float = 0.0


@dataclass(slots=True)
class _OpenGroup:
    index: int
    task: Task
    scored: dict[int, Trajectory] = field(default_factory=dict[int, Trajectory])
    excluded: list[Trajectory] = field(default_factory=list[Trajectory])
    given_up: bool = False


class Collector:
    """Keeps up to `plan.concurrency` trajectories going, and hands out groups as they are complete.

    Args:
        play: Plays one trajectory; it returns whatever happened, and raises on bugs only.
        tasks: Which task each next group gets.
        plan: How many, when.
        version: The engine's policy version now.
        num_groups_started: How many groups an earlier process had started (resume).
    """

    def __init__(
        self,
        play: Callable[[Start], Awaitable[Trajectory]],
        tasks: Iterator[Task],
        plan: Plan,
        *,
        version: Callable[[], int] = lambda: 0,
        num_groups_started: int = 0,
    ) -> None:
        self._play = play
        self._tasks = tasks
        self._plan = plan
        self._version = version
        self._first_version = version()
        self._first_group = num_groups_started
        self.num_groups_started = num_groups_started
        self._waiting: deque[_Seat] = deque()
        self._running: dict[asyncio.Task[Trajectory], _Seat] = {}
        self._ended: asyncio.Queue[tuple[_Seat, asyncio.Task[Trajectory]]] = asyncio.Queue()
        self._complete: list[Group] = []
        self.num_ended = 0  # trajectories, the excluded ones included
        self.num_excluded = 0
        self.num_abandoned = 0  # did not even stop when they were cancelled
        self.num_stale = 0  # groups that were too old when they were complete
        self.num_given_up = 0  # groups whose task failed again and again

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running = tuple(self._running)
        self._running.clear()
        for task in running:
            task.cancel()
        for task in running:
            self.num_abandoned += not await stop(task)

    async def collect(self, num_groups: int, *, train_version: int = 0) -> list[Group]:
        """The next `num_groups` complete groups, ordered by when they were started.

        Args:
            num_groups: How many; fewer come back only when the tasks have run out.
            train_version: The version that they will be trained at: what is too old for it is dropped and replaced.

        Raises:
            RolloutError: The machinery failed too often.
        """
        while len(self._complete) < num_groups:
            self._admit()
            self._launch()
            if not self._running and self._ended.empty():
                break
            await self._settle_one()
            self._drop_stale(train_version)
        self._complete.sort(key=lambda group: group.id)
        groups, self._complete = self._complete[:num_groups], self._complete[num_groups:]
        return groups

    def metrics(self) -> dict[str, float]:
        """What became of the trajectories and groups that were not handed out; totals since the start."""
        return {
            "act/excluded_total": float(self.num_excluded),
            "act/abandoned_total": float(self.num_abandoned),
            "act/groups_stale_total": float(self.num_stale),
            "act/groups_given_up_total": float(self.num_given_up),
        }

    def _admit(self) -> None:
        """Open groups: as many as may be under way without being trained on too late."""
        plan = self._plan
        num_steps = self._version() - self._first_version + plan.max_policy_lag + 1
        limit = self._first_group + num_steps * plan.groups_per_step + self.num_stale + self.num_given_up
        while self.num_groups_started < limit and len(self._waiting) < plan.concurrency:
            task = next(self._tasks, None)
            if task is None:
                return
            group = _OpenGroup(self.num_groups_started, task)
            self.num_groups_started += 1
            self._waiting.extend(_Seat(group, number) for number in range(plan.group_size))

    def _launch(self) -> None:
        while self._waiting and len(self._running) < self._plan.concurrency:
            seat = self._waiting.popleft()
            if seat.group.given_up:
                continue
            seat.deadline = asyncio.get_running_loop().time() + self._plan.hard_seconds
            # Not a TaskGroup: that would wait for ever for a task that refuses to be cancelled.
            task = asyncio.ensure_future(self._play(self._start(seat)))
            self._running[task] = seat
            task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[Trajectory]) -> None:
        """A trajectory has ended: its place is free at once, also while nobody is collecting."""
        seat = self._running.pop(task, None)
        if seat is not None and not task.cancelled():  # None: it had been abandoned
            self._ended.put_nowait((seat, task))
            self._launch()

    def _start(self, seat: _Seat) -> Start:
        group = f"g{seat.group.index:07d}"
        trajectory_id = f"{group}-{seat.number:03d}" + (f"-retry{seat.attempt}" if seat.attempt else "")
        digest = blake2b(f"{self._plan.seed}/{trajectory_id}".encode(), digest_size=8).digest()
        return Start(task=seat.group.task, trajectory_id=trajectory_id, seed=int.from_bytes(digest) >> 1)

    async def _settle_one(self) -> None:
        """Wait for the next trajectory to end, or for one to overstay."""
        oldest = next(iter(self._running), None)
        try:
            async with asyncio.timeout_at(self._running[oldest].deadline if oldest else None):
                seat, task = await self._ended.get()
        except TimeoutError:
            if oldest in self._running:
                await self._abandon(oldest)
            return
        self._seat_ended(seat, task.result())

    async def _abandon(self, task: asyncio.Task[Trajectory]) -> None:
        """Count a trajectory that passed every deadline as lost, whether or not it can be stopped."""
        seat = self._running.pop(task)
        self.num_abandoned += not await stop(task)
        start = self._start(seat)
        reason = f"did not return within {self._plan.hard_seconds:g} s"
        logger.warning("%s: %s", start.trajectory_id, reason)
        lost = Trajectory(
            id=start.trajectory_id, task=start.task, prompt=(), turns=(), outcome=Outcome.INFRA_ERROR, error=reason
        )
        self._seat_ended(seat, lost)

    def _seat_ended(self, seat: _Seat, trajectory: Trajectory) -> None:
        group = seat.group
        self.num_ended += 1
        if trajectory.scored:
            group.scored[seat.number] = trajectory
            if len(group.scored) == self._plan.group_size and not group.given_up:
                self._complete.append(_close(group))
            return
        self.num_excluded += 1
        group.excluded.append(trajectory)
        self._check_error_rate(trajectory)
        if seat.attempt + 1 < self._plan.max_attempts:
            self._waiting.appendleft(_Seat(group, seat.number, seat.attempt + 1))
        elif not group.given_up:
            group.given_up = True
            self.num_given_up += 1
            logger.warning("task %s given up after %d attempts: %s", group.task.id, seat.attempt + 1, trajectory.error)

    def _check_error_rate(self, last: Trajectory) -> None:
        rate = self.num_excluded / self.num_ended
        if self.num_ended >= _MIN_ENDED_TO_JUDGE and rate > self._plan.max_error_rate:
            raise RolloutError(
                f"{self.num_excluded} of {self.num_ended} trajectories were lost to failures of the machinery; the "
                f"limit is a share of {self._plan.max_error_rate:g}. The last one: {last.error or 'unscored reward'}"
            )

    def _drop_stale(self, train_version: int) -> None:
        oldest = train_version - self._plan.max_policy_lag
        fresh = [group for group in self._complete if _oldest_version(group) >= oldest]
        self.num_stale += len(self._complete) - len(fresh)
        self._complete = fresh


def _close(group: _OpenGroup) -> Group:
    return Group(
        id=f"g{group.index:07d}",
        task=group.task,
        trajectories=tuple(group.scored[number] for number in sorted(group.scored)),
        excluded=tuple(group.excluded),
    )


def _oldest_version(group: Group) -> int:
    return min(turn.version for trajectory in group.trajectories for turn in trajectory.turns)
