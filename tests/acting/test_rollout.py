import asyncio
from dataclasses import replace

import pytest

from agentrl.acting.agent import Action, ScriptedAgent
from agentrl.acting.collect import Collector, Plan
from agentrl.acting.environment import Environment, Step
from agentrl.acting.rewards import reward, turn_reward
from agentrl.acting.rollout import Limits, Stage, Start, rollout
from agentrl.acting.suite import Suite, Tasks
from agentrl.acting.tool import ToolLimits, tool
from agentrl.errors import RolloutError, SandboxError
from agentrl.messages import Message, ToolCall
from agentrl.trajectory import CallStatus, Outcome, Task, Trajectory

TASKS = [Task(f"t{i}", i, {"target": 3}) for i in range(20)]


class Counter(Environment):
    closed = 0

    async def reset(self, task):
        self.count, self.target = 0, task.data["target"]
        return f"Increment the counter to {self.target}."

    @tool
    async def add(self, amount: int) -> int:
        """Add to the counter.

        Args:
            amount: What to add.
        """
        self.count += amount
        return self.count

    @reward
    async def reached(self):
        return float(self.count == self.target)

    def state_key(self):
        return self.count

    async def close(self):
        type(self).closed += 1


def add(amount):
    return Message("assistant", "", (ToolCall("add", {"amount": amount}, "call_0"),))


def playing(*messages):
    """An agent that says these messages, then that it is done."""

    def script(environment, rng):
        remaining = iter(messages)
        return lambda observation: next(remaining, Message("assistant", "done"))

    return ScriptedAgent(script)


def suite_of(environment=Counter, **options):
    return Suite(name="counter", splits={"test": Tasks.of(TASKS)}, make=environment, **options)


def stage_of(agent, environment=Counter, **limits):
    return Stage(suite=suite_of(environment), agent=agent, limits=Limits(**limits))


async def play(stage, task=TASKS[0]):
    return await rollout(Start(task=task, trajectory_id="x", seed=0), stage)


async def test_a_trajectory_records_every_turn_with_what_it_saw_and_earned():
    trajectory = await play(stage_of(playing(add(1), add(2))))
    assert trajectory.outcome is Outcome.FINISHED
    assert trajectory.success
    assert [turn.reward for turn in trajectory.turns] == [0.0, 0.0, 1.0]
    assert [[m.text for m in turn.observation] for turn in trajectory.turns] == [["1"], ["3"], []]
    assert len({turn.state_key for turn in trajectory.turns}) == 3
    assert trajectory.rewards == {"reached": 1.0}
    assert trajectory.prompt == (Message("user", "Increment the counter to 3."),)


async def test_the_system_prompt_comes_first():
    stage = replace(stage_of(playing()), suite=suite_of(system_prompt="Count."))
    assert (await play(stage)).prompt[0] == Message("system", "Count.")


async def test_the_turn_limit_is_no_termination():
    trajectory = await play(stage_of(playing(add(1), add(1), add(1)), max_turns=2))
    assert trajectory.outcome is Outcome.TURN_LIMIT
    assert len(trajectory.turns) == 2
    assert trajectory.scored


async def test_messages_that_hold_nothing_to_try_end_as_parse_failure():
    broken = Message("assistant", "", (ToolCall("", "{", "call_0"),))
    trajectory = await play(stage_of(playing(*[broken] * 9), max_invalid_turns=3))
    assert trajectory.outcome is Outcome.PARSE_FAILURE
    assert [turn.valid for turn in trajectory.turns] == [False] * 3
    assert all(turn.observation[0].text for turn in trajectory.turns), "malformed calls are answered"


async def test_an_environment_that_raises_is_excluded_and_says_where():
    class Raising(Counter):
        async def step(self, message):
            raise RuntimeError("the disk is full")

    trajectory = await play(stage_of(playing(add(1)), Raising))
    assert trajectory.outcome is Outcome.INFRA_ERROR
    assert not trajectory.scored
    assert not trajectory.success
    assert trajectory.error == "EnvironmentFault: counter.step: RuntimeError: the disk is full"


async def test_every_boundary_excludes_what_crosses_it():
    class BadMake(Counter):
        def __init__(self):
            raise OSError("no room")

    class BadReset(Counter):
        async def reset(self, task):
            raise KeyError("target")

    class BadKey(Counter):
        def state_key(self):
            raise ValueError("no key")

    class BadReward(Counter):
        @reward
        async def reached(self):
            raise ZeroDivisionError

    class BadTurnReward(Counter):
        @turn_reward
        async def shaped(self, turn):
            return float("nan")

    for environment, kind in (
        (BadMake, "EnvironmentFault: counter.make: OSError"),
        (BadReset, "EnvironmentFault: counter.reset: KeyError"),
        (BadKey, "EnvironmentFault: state_key: ValueError"),
        (BadReward, "GraderError"),
        (BadTurnReward, "GraderError"),
    ):
        trajectory = await play(stage_of(playing(add(3)), environment))
        assert trajectory.outcome is Outcome.INFRA_ERROR, environment
        assert (trajectory.error or "").startswith(kind), trajectory.error


async def test_a_reward_of_none_leaves_the_trajectory_unscored():
    class Undecided(Counter):
        @reward
        async def reached(self):
            return None

    trajectory = await play(stage_of(playing(add(3)), Undecided))
    assert trajectory.outcome is Outcome.FINISHED
    assert trajectory.rewards == {"reached": None}
    assert not trajectory.scored


async def test_turn_rewards_are_added_to_their_turn():
    class Shaped(Counter):
        @turn_reward(weight=0.5)
        async def moved(self, turn):
            return bool(turn.results)

    trajectory = await play(stage_of(playing(add(3)), Shaped))
    assert [turn.reward for turn in trajectory.turns] == [0.5, 1.0]
    assert trajectory.turns[0].rewards == {"moved": 0.5}


async def test_a_hanging_environment_ends_at_the_turns_deadline_and_is_excluded():
    class Hanging(Counter):
        async def step(self, message):
            await asyncio.Event().wait()

    trajectory = await play(stage_of(playing(add(1)), Hanging, turn_seconds=0.05))
    assert trajectory.outcome is Outcome.INFRA_ERROR
    assert trajectory.error == "EnvironmentFault: counter.step: TimeoutError: the work gave no result within 0.05 s"


async def test_an_environment_that_swallows_its_cancellation_cannot_hang_the_trajectory():
    released = asyncio.Event()

    class Deaf(Counter):
        async def step(self, message):
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    continue

    trajectory = await play(stage_of(playing(add(1)), Deaf, turn_seconds=0.05))
    assert trajectory.outcome is Outcome.INFRA_ERROR
    released.set()


async def test_a_reward_that_is_no_number_is_a_fault_of_the_environment():
    class Nan(Counter):
        async def step(self, message):
            return Step("?", reward=float("nan"))

    trajectory = await play(stage_of(playing(add(1)), Nan))
    assert trajectory.outcome is Outcome.INFRA_ERROR
    assert "the reward is nan" in (trajectory.error or "")


async def test_the_episodes_deadline_is_scored_as_time_limit():
    class Slow(Counter):
        async def step(self, message):
            await asyncio.sleep(0.03)
            return Step("wait")

    trajectory = await play(stage_of(playing(*[add(1)] * 100), Slow, episode_seconds=0.1, max_turns=100))
    assert trajectory.outcome is Outcome.TIME_LIMIT
    assert trajectory.scored
    assert 0 < len(trajectory.turns) < 10


async def test_close_is_called_once_whatever_happens_and_its_failure_changes_nothing(caplog):
    class BadClose(Counter):
        async def close(self):
            await super().close()
            raise OSError("already gone")

    BadClose.closed = 0
    trajectory = await play(stage_of(playing(add(3)), BadClose))
    assert trajectory.scored
    assert BadClose.closed == 1
    assert "already gone" in caplog.text


async def test_a_rewritten_context_is_what_the_agent_sees_next():
    seen = []

    class Forgetful(Counter):
        async def step(self, message):
            return Step("ignored", context=(Message("user", f"Turn {len(seen)}."),))

    class Recorder:
        def start(self, environment, trajectory_id, seed):
            return self

        async def act(self, messages, *, rewrite=False):
            seen.append(([m.text for m in messages], rewrite))
            return Action(message=Message("assistant", "go on"))

        def close(self):
            pass

    await play(stage_of(Recorder(), Forgetful, max_turns=2))
    assert seen == [(["Increment the counter to 3."], False), (["Turn 1."], True)]


async def collect(play, num_groups=4, tasks=TASKS, train_version=0, **plan):
    async with Collector(play, iter(tasks), Plan(**{"groups_per_step": num_groups, **plan})) as collector:
        return await collector.collect(num_groups, train_version=train_version), collector


async def test_groups_have_their_size_and_the_order_in_which_they_were_started():
    stage = stage_of(playing(add(3)))
    groups, _ = await collect(lambda start: rollout(start, stage), group_size=3, concurrency=5)
    assert [group.task.id for group in groups] == ["t0", "t1", "t2", "t3"]
    assert [len(group.trajectories) for group in groups] == [3] * 4
    assert len({t.id for group in groups for t in group.trajectories}) == 12


async def test_failures_of_the_machinery_change_no_statistic_and_lose_no_member_of_a_group():
    class Flaky(Counter):
        @tool
        async def add(self, amount: int) -> int:
            """Add to the counter.

            Args:
                amount: What to add.
            """
            if self.context.trajectory_id in broken:
                raise SandboxError("injected")
            self.count += amount
            return self.count

    def lucky(environment, rng):
        goal = rng.choice([2, 3])  # follows from the trajectory's seed
        messages = iter([add(goal)])
        return lambda observation: next(messages, Message("assistant", "done"))

    broken: set[str] = set()
    stage = stage_of(ScriptedAgent(lucky), Flaky)
    plain, _ = await collect(lambda start: rollout(start, stage), group_size=5)
    chosen = [t.id for group in plain for t in group.trajectories][::3]  # a third
    broken.update(chosen)
    groups, collector = await collect(lambda start: rollout(start, stage), group_size=5)
    assert [len(group.trajectories) for group in groups] == [5] * 4
    assert sorted(t.id for group in groups for t in group.excluded) == sorted(chosen)
    assert collector.num_excluded == len(chosen)
    before = {t.id: t.total_reward for group in plain for t in group.trajectories}
    for group in groups:
        for trajectory in group.trajectories:
            assert trajectory.scored
            if trajectory.id in before:
                assert trajectory.total_reward == before[trajectory.id]
            else:
                assert "retry" in trajectory.id


async def test_too_many_failures_stop_the_run_with_the_last_reason():
    class Broken(Counter):
        async def reset(self, task):
            raise ConnectionError("the server is down")

    stage = stage_of(playing(), Broken)
    with pytest.raises(RolloutError, match=r"20 of 20 trajectories.*the server is down"):
        await collect(lambda start: rollout(start, stage), group_size=8, max_attempts=100)


async def test_a_task_that_fails_again_and_again_is_given_up_and_replaced():
    class OneBad(Counter):
        async def reset(self, task):
            if task.id == "t1":
                raise ConnectionError("no such page")
            return await super().reset(task)

    stage = stage_of(playing(add(3)), OneBad)
    groups, collector = await collect(lambda start: rollout(start, stage), group_size=2, max_attempts=3)
    assert [group.task.id for group in groups] == ["t0", "t2", "t3", "t4"]
    assert collector.num_given_up == 1


async def test_a_tool_that_never_returns_delays_nobody_but_its_own_trajectory():
    class OneHangs(Counter):
        @tool
        async def add(self, amount: int) -> int:
            """Add to the counter.

            Args:
                amount: What to add.
            """
            if self.context.task.id == "t0":
                await asyncio.Event().wait()
            self.count += amount
            return self.count

    ended: list[str] = []

    async def record(start):
        trajectory = await rollout(start, stage)
        ended.append(start.task.id)
        return trajectory

    limits = {"tools": ToolLimits(call_seconds=0.2), "max_turns": 2}
    stage = stage_of(playing(add(3)), OneHangs, **limits)
    groups, _ = await collect(record)
    assert ended[-1] == "t0", "the others were done before its deadline"
    assert groups[0].trajectories[0].turns[0].results[0].status is CallStatus.TIMEOUT
    assert groups[0].trajectories[0].scored
    assert not groups[0].trajectories[0].success


async def test_a_trajectory_that_ignores_its_cancellation_is_abandoned_and_replaced():
    released = asyncio.Event()
    stage = stage_of(playing(add(3)))

    async def play_or_hang(start):
        if start.trajectory_id == "g0000000-000":
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    continue
        return await rollout(start, stage)

    groups, collector = await collect(play_or_hang, num_groups=1, hard_seconds=0.05)
    assert groups[0].trajectories[0].id == "g0000000-000-retry1"
    assert "did not return within" in (groups[0].excluded[0].error or "")
    assert collector.num_abandoned == 1
    released.set()


async def test_at_most_the_allowed_number_of_trajectories_is_under_way():
    running, most = 0, 0

    async def play_slowly(start):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return await rollout(start, stage_of(playing(add(3))))

    await collect(play_slowly, num_groups=10, group_size=2, concurrency=3)
    assert most == 3


def versioned(start, version):
    """A trajectory whose only turn was sampled at that version."""
    from agentrl.trajectory import Turn

    turns = (Turn(message=Message("assistant", "x"), version=version),)
    return Trajectory(id=start.trajectory_id, task=start.task, prompt=(), turns=turns, outcome=Outcome.FINISHED)


async def test_without_lag_nothing_starts_before_the_update():
    started = []

    async def instant(start):
        started.append(start.task.id)
        return versioned(start, version)

    version = 0
    plan = Plan(group_size=1, groups_per_step=2, max_policy_lag=0)
    async with Collector(instant, iter(TASKS), plan, version=lambda: version) as collector:
        await collector.collect(2, train_version=0)
        assert started == ["t0", "t1"]
        version = 1
        await collector.collect(2, train_version=1)
        assert started == ["t0", "t1", "t2", "t3"]


async def test_groups_older_than_the_maximal_lag_are_dropped_and_replaced():
    version = 0
    slow = asyncio.Event()

    async def first_is_slow(start):
        began = version
        if start.task.id == "t0":
            await slow.wait()
        return versioned(start, began)

    plan = Plan(group_size=1, groups_per_step=1, max_policy_lag=1)
    async with Collector(first_is_slow, iter(TASKS), plan, version=lambda: version) as collector:
        assert [group.task.id for group in await collector.collect(1, train_version=0)] == ["t1"]
        for version in (1, 2):
            await collector.collect(1, train_version=version)
        slow.set()
        await asyncio.sleep(0)
        version = 3
        groups = await collector.collect(1, train_version=3)
    assert groups[0].task.id != "t0"
    assert collector.num_stale == 1


async def test_bugs_are_not_taken_for_failures():
    async def buggy(start):
        raise AttributeError("no such thing")

    with pytest.raises(AttributeError, match="no such thing"):
        await collect(buggy)
