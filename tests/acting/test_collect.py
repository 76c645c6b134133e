import asyncio
import random

import pytest

from agentrl.acting.collect import Collector
from agentrl.acting.curriculum import Draw, Uniform
from agentrl.acting.explore import Explorer, Siblings
from agentrl.acting.plan import Plan
from agentrl.errors import RolloutError
from agentrl.messages import Message
from agentrl.trajectory import Outcome, Task, Trajectory, Turn

TASKS = [Task(f"t{index}") for index in range(40)]


def ended(start, reward=0.0, outcome=Outcome.FINISHED, version=0):
    turns = (Turn(message=Message("assistant", "x"), reward=reward, version=version),)
    return Trajectory(id=start.trajectory_id, task=start.task, prompt=(), turns=turns, outcome=outcome)


async def instant(start):
    return ended(start)


async def collect(num_groups=3, play=instant, tasks=None, explorer=None, **plan):
    tasks = iter(TASKS) if tasks is None else tasks
    plan = Plan(**{"groups_per_step": num_groups, "group_size": 2, **plan})
    async with Collector(play, tasks, plan, explorer=explorer) as collector:
        return await collector.collect(num_groups), collector


class Picky(Uniform):
    """Wants no group of some tasks, and remembers what it was asked."""

    def __init__(self, unwanted=()):
        super().__init__(TASKS, seed=0)
        self.unwanted, self.asked = unwanted, []

    def draw(self):
        task = TASKS[self._num_drawn]
        self._num_drawn += 1
        return Draw(task=task, group_size=3 if task.id == "t1" else None, prior={"value": float(task.id[1:])})

    def select(self, groups):
        self.asked.append([group.task.id for group in groups])
        return [group for group in groups if group.task.id not in self.unwanted]


async def test_what_the_curriculum_leaves_out_is_replaced_and_asked_about_once_in_order():
    async def play(start):
        await asyncio.sleep(random.random() / 100)
        return ended(start)

    curriculum = Picky(unwanted=("t0", "t2", "t4"))
    groups, collector = await collect(4, play, curriculum)
    assert [group.task.id for group in groups] == ["t1", "t3", "t5", "t6"]
    assert curriculum.asked == [["t0", "t1", "t2", "t3"], ["t4", "t5"], ["t6"]]
    assert collector.num_left_out == 3
    assert collector.metrics()["act/groups_left_out_total"] == 3


async def test_a_draw_says_how_large_its_group_is_and_what_was_known_before():
    groups, _ = await collect(3, tasks=Picky())
    assert [len(group.trajectories) for group in groups] == [2, 3, 2]
    assert [group.prior for group in groups] == [{"value": 0.0}, {"value": 1.0}, {"value": 2.0}]


async def test_what_a_curriculum_learns_does_not_depend_on_timing():
    async def told(concurrency, seconds):
        async def play(start):
            await asyncio.sleep(random.random() * seconds)
            return ended(start, version=version)

        curriculum = Picky(unwanted={f"t{index}" for index in range(0, 40, 3)})
        plan = Plan(groups_per_step=5, group_size=2, concurrency=concurrency)
        version = 0
        async with Collector(play, curriculum, plan, version=lambda: version) as collector:
            for version in range(3):
                await collector.collect(5, train_version=version)
        return curriculum.asked, collector.state_dict()

    assert await told(1, 0.0) == await told(64, 0.01) == await told(3, 0.005)


async def test_a_collector_goes_on_where_another_one_stopped():
    async def ids(collector):
        return [(group.id, group.task.id) for group in await collector.collect(3, train_version=1)]

    async def play(start):
        return ended(start, version=version)

    plan = Plan(groups_per_step=3)
    version = 0
    async with Collector(play, Uniform(TASKS, seed=1), plan, version=lambda: version) as first:
        await first.collect(3)
        state = first.state_dict()
        version = 1
        following = await ids(first)
    async with Collector(play, Uniform(TASKS, seed=1), plan, state=state) as second:
        assert await ids(second) == following
    assert state["num_groups_started"] == 3


class Twice(Explorer):
    """Plays another group after each one."""

    def __init__(self):
        self.handed_out = []

    async def explore(self, group, play):
        siblings = Siblings(group, play)
        first = group.close(await siblings.begin(group.size))
        return [first, group.close(await siblings.begin(4, kind="more-"), kind="more")]

    def finish(self, groups):
        self.handed_out.append([group.id for group in groups])
        return list(groups)


async def test_groups_that_came_out_of_others_are_handed_out_with_them_and_not_counted():
    curriculum, explorer = Picky(unwanted=("t0",)), Twice()
    groups, collector = await collect(2, tasks=curriculum, explorer=explorer)
    assert [(group.id, group.kind, len(group.trajectories)) for group in groups] == [
        ("g0000001", "", 3),
        ("g0000002", "", 2),
        ("g0000000-more0", "more", 4),
        ("g0000001-more0", "more", 4),
        ("g0000002-more0", "more", 4),
    ]
    assert curriculum.asked == [["t0", "t1"], ["t2"]], "nobody is asked about what was not drawn"
    assert explorer.handed_out == [[group.id for group in groups]]
    assert groups[2].trajectories[1].id == "g0000000-more-001"
    assert collector.num_groups_started == 3


async def test_the_earliest_group_is_played_first_also_with_what_it_asks_for_later():
    order = []

    async def play(start):
        order.append(start.trajectory_id)
        await asyncio.sleep(0)
        return ended(start)

    await collect(2, play, explorer=Twice(), concurrency=1)
    numbers = [f"g000000{group}-{kind}{number:03d}" for group in (0,) for kind in ("", "more-") for number in range(2)]
    assert order[:4] == numbers


@pytest.mark.parametrize("own_task_group", [False, True])
async def test_a_group_that_its_explorer_cannot_fill_is_given_up_and_replaced(own_task_group):
    class Own(Explorer):
        async def explore(self, group, play):
            async with asyncio.TaskGroup() as tasks:
                playing = tasks.create_task(Siblings(group, play).begin(group.size))
            return [group.close(playing.result())]

    async def play(start):
        spoilt = start.task.id == "t1"
        return ended(start, outcome=Outcome.INFRA_ERROR if spoilt else Outcome.FINISHED)

    groups, collector = await collect(3, play, explorer=Own() if own_task_group else None, max_attempts=3)
    assert [group.task.id for group in groups] == ["t0", "t2", "t3"]
    assert collector.num_given_up == 1
    assert 3 <= collector.num_excluded <= 6


async def test_what_was_spoilt_is_kept_beside_the_group_and_its_attempts_have_ids_and_seeds_of_their_own():
    starts = []

    async def play(start):
        starts.append(start)
        spoilt = start.trajectory_id in ("g0000000-001", "g0000000-001-retry1")
        return ended(start, outcome=Outcome.INFRA_ERROR if spoilt else Outcome.FINISHED)

    (group,), _ = await collect(1, play)
    assert [one.id for one in group.trajectories] == ["g0000000-000", "g0000000-001-retry2"]
    assert [one.id for one in group.excluded] == ["g0000000-001", "g0000000-001-retry1"]
    assert len({start.seed for start in starts}) == len(starts) == 4


async def test_an_explorer_that_neither_plays_nor_ends_is_found_out():
    class Asleep(Explorer):
        async def explore(self, group, play):
            await asyncio.Event().wait()

    with pytest.raises(RolloutError, match=r"has not played for 0\.05 s, but did not end g0000000, g0000001"):
        await collect(2, explorer=Asleep(), hard_seconds=0.05)


async def test_a_bug_in_an_explorer_stops_the_run():
    class Buggy(Explorer):
        async def explore(self, group, play):
            raise AttributeError("no such thing")

    with pytest.raises(AttributeError, match="no such thing"):
        await collect(explorer=Buggy())


async def test_too_many_failures_stop_the_run_whatever_the_explorer_makes_of_them():
    class Stubborn(Explorer):
        async def explore(self, group, play):
            try:
                return [group.close(await Siblings(group, play).begin(group.size))]
            except RolloutError:
                return await self.explore(group, play)

    async def play(start):
        await asyncio.sleep(0.001)
        return ended(start, outcome=Outcome.INFRA_ERROR)

    with pytest.raises(RolloutError, match="lost to failures of the machinery"):
        await collect(3, play, explorer=Stubborn(), max_attempts=2)


async def test_a_trajectory_that_cancels_itself_is_lost_and_played_again():
    async def play(start):
        if start.trajectory_id == "g0000000-000":
            raise asyncio.CancelledError
        return ended(start)

    (group,), _ = await collect(1, play)
    assert [(one.id, one.error) for one in group.excluded] == [("g0000000-000", "cancelled itself")]
