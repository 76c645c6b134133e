"""What explorers do across the steps of a run: recycling what is not done, replaying what went well."""

import asyncio
import json

import pytest

from agentrl.acting.collect import Collector
from agentrl.acting.explore.recycle import Recycle
from agentrl.acting.explore.replay import Replay
from agentrl.acting.plan import Plan
from agentrl.errors import ConfigError
from agentrl.messages import Message
from agentrl.trajectory import Group, Outcome, Task, Trajectory, Turn

TASKS = [Task(f"t{index}") for index in range(60)]


async def test_a_step_takes_the_groups_that_are_done_first_and_the_others_go_on_under_newer_weights():
    version, started = 0, []
    released = asyncio.Event()

    async def play(start):
        started.append(start.task.id)
        turns = [Turn(message=Message("assistant", "a"), version=version)]
        if start.task.id == "t1":
            await released.wait()
            turns.append(Turn(message=Message("assistant", "b"), version=version))
        return Trajectory(
            id=start.trajectory_id, task=start.task, prompt=(), turns=tuple(turns), outcome=Outcome.FINISHED
        )

    explorer = Recycle(over_provision=0.5, max_policy_lag=2)
    _, plan = explorer.prepare(None, Plan(groups_per_step=2, group_size=1, max_policy_lag=1))
    assert (plan.groups_ahead, plan.max_policy_lag) == (1, 2)
    async with Collector(play, iter(TASKS), plan, explorer=explorer, version=lambda: version) as collector:

        async def step():
            return [group.task.id for group in await collector.collect(2, train_version=version)]

        assert await step() == ["t0", "t2"]
        assert started == ["t0", "t1", "t2"], "one more than the step needs"
        version = 1
        assert await step() == ["t3", "t4"]
        version = 2
        released.set()
        await asyncio.sleep(0)
        groups = await collector.collect(2, train_version=2)
        assert [group.task.id for group in groups] == ["t1", "t5"]
        assert [turn.version for turn in groups[0].trajectories[0].turns] == [0, 2]
        assert collector.num_stale == 0
        assert started[3:] == ["t3", "t4", "t5", "t6"]


async def test_what_lasted_longer_than_the_maximal_lag_is_dropped():
    version = 0
    released = asyncio.Event()

    async def play(start):
        began = version
        if start.task.id == "t0":
            await released.wait()
        turns = (Turn(message=Message("assistant", "a"), version=began),)
        return Trajectory(id=start.trajectory_id, task=start.task, prompt=(), turns=turns, outcome=Outcome.FINISHED)

    explorer = Recycle(over_provision=1.0, max_policy_lag=1)
    _, plan = explorer.prepare(None, Plan(group_size=1))
    async with Collector(play, iter(TASKS), plan, explorer=explorer, version=lambda: version) as collector:
        for version in range(3):
            await collector.collect(1, train_version=version)
        released.set()
        await asyncio.sleep(0)
        version = 3
        (group,) = await collector.collect(1, train_version=3)
    assert group.task.id != "t0"
    assert collector.num_stale == 1


def group_of(number, rewards, version, valid=True):
    members = tuple(
        Trajectory(
            id=f"g{number:07d}-{index:03d}",
            task=TASKS[number],
            prompt=(Message("user", "half a pair: \ud800"),),
            turns=(Turn(message=Message("assistant", "x"), reward=reward, version=version, valid=valid),),
            outcome=Outcome.FINISHED,
        )
        for index, reward in enumerate(rewards)
    )
    return Group(id=f"g{number:07d}", task=TASKS[number], trajectories=members)


def step_of(explorer, step, rewards=(0.0, 1.0, 1.0, 0.0), num=4, **options):
    groups = [group_of(step * num + index, rewards, step, **options) for index in range(num)]
    return explorer.finish(groups)


def replayed(groups):
    return [group for group in groups if group.kind == "replay"]


def test_what_earned_more_than_its_group_is_replayed_once_the_buffer_is_full():
    explorer = Replay(size=10, ramp=0)
    assert [len(replayed(step_of(explorer, step))) for step in range(4)] == [0, 10, 0, 10]
    groups = step_of(Replay(size=2, ramp=0), 0)
    assert [group.prior for group in groups[:4]] == [{"value": 0.5}] * 4
    assert [(group.kind, group.prior, len(group.trajectories)) for group in groups[4:]] == [
        ("replay", {"value": 0.5}, 1)
    ] * 2
    assert all(group.trajectories[0].total_reward == 1.0 for group in groups[4:])
    assert len({group.id for group in groups}) == 6


def test_what_is_not_better_than_usual_or_tried_nothing_is_not_replayed():
    assert replayed(step_of(Replay(size=1, ramp=0), 0, rewards=(1.0, 1.0))) == []
    assert replayed(step_of(Replay(size=1, ramp=0), 0, valid=False)) == []
    explorer = Replay(size=1, ramp=0)
    explorer.finish([group_of(number, (0.9, 0.8), 0) for number in range(9)])  # usual is now 0.85
    groups = explorer.finish([group_of(9, (0.0, 0.6, 0.6, 0.6), 1)])
    assert replayed(groups) == [], "better than their siblings, but not than usual"


def test_what_is_too_old_is_forgotten():
    explorer = Replay(size=6, max_age=2, ramp=0)
    explorer.finish([group_of(0, (0.0, *[1.0] * 8), 0)])
    assert len(replayed(explorer.finish([group_of(1, (0.0, *[1.0] * 8), 3)]))) == 0
    assert len(replayed(explorer.finish([group_of(2, (0.0, *[1.0] * 8), 5)]))) == 6


def test_the_number_rises_along_half_a_cosine():
    explorer = Replay(size=10, share=1.0, ramp=100)
    counts = [len(replayed(explorer.finish([group_of(0, (0.0, *[1.0] * 20), step)]))) for step in (0, 25, 50, 100, 300)]
    assert counts == [0, 1, 5, 10, 10]


def test_a_buffer_goes_on_where_it_was_whatever_its_texts_hold():
    first, second = Replay(size=10, ramp=0), Replay(size=10, ramp=0)
    step_of(first, 0)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    one, other = ([group.id for group in step_of(explorer, 1)] for explorer in (first, second))
    assert one == other
    assert len(one) == 14


async def test_replayed_groups_are_handed_out_by_the_collector():
    async def play(start):
        reward = float(start.trajectory_id.endswith("1"))
        turns = (Turn(message=Message("assistant", "a"), reward=reward),)
        return Trajectory(id=start.trajectory_id, task=start.task, prompt=(), turns=turns, outcome=Outcome.FINISHED)

    plan = Plan(groups_per_step=4, group_size=2)
    async with Collector(play, iter(TASKS), plan, explorer=Replay(size=2, ramp=0)) as collector:
        groups = await collector.collect(4)
        assert [group.kind for group in groups] == [""] * 4 + ["replay"] * 2
        assert len(collector.state_dict()["explorer"]["means"]) == 4


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (Recycle, {"over_provision": 0.0}),
        (Recycle, {"max_policy_lag": 0}),
        (Replay, {"size": 0}),
        (Replay, {"share": 2.0}),
    ],
)
def test_numbers_that_make_no_sense_are_refused(make, options):
    with pytest.raises(ConfigError, match="got"):
        make(**options)
