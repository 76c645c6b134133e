import asyncio
from dataclasses import replace

import pytest

from agentrl.acting.agent import ChatAgent, ScriptedAgent
from agentrl.acting.rollout import Prefix, Start, rollout
from agentrl.acting.tool import ToolLimits
from agentrl.errors import ConfigError
from agentrl.messages import Message, ToolCall
from agentrl.trajectory import Outcome

BROKEN = Message("assistant", "", (ToolCall("", "{", "call_0"),))


async def play(stage, name="first", **fields):
    return await rollout(Start(task=stage.suite.tasks("train")[0], trajectory_id=name, seed=7, **fields), stage)


def beginning(turns):
    """The ids of the turns' last sequence."""
    ids = ()
    for turn in turns:
        ids = (() if turn.opens_sequence else ids) + turn.context_ids + turn.action_ids
    return ids


@pytest.mark.parametrize("kind", ["replayed", "restored", "restored, with a prompt a turn"])
@pytest.mark.parametrize("max_tokens", [200, 5])
async def test_a_fork_goes_on_from_the_ids_as_they_are(counting, kind, max_tokens):
    class Windowed(counting.Saved):
        async def step(self, message):
            step = await super().step(message)
            return step._replace(context=(Message("user", f"You are at {self.count} of {self.target}."),))

    environment = {"replayed": counting.Count, "restored": counting.Saved}.get(kind, Windowed)
    stage = counting.stage(environment, messages=(counting.add(1),), max_tokens=max_tokens, max_invalid_turns=9)
    snapshots = {}
    first = await play(stage, snapshots=snapshots)
    num_restored = environment.num_restored if kind != "replayed" else 0
    fork = await play(stage, "fork", prefix=Prefix.of(first, 2), snapshots=snapshots)
    plain = await play(stage, "fork", prefix=Prefix.of(first, 2))
    assert fork.turns[:2] == tuple(
        replace(turn, origin=f"first/{number}") for number, turn in enumerate(first.turns[:2])
    )
    assert fork.turns[2].context_ids == first.turns[2].context_ids
    assert fork.turns[2].opens_sequence == first.turns[2].opens_sequence == (environment is Windowed)
    own = first.turns[2].context_ids
    expected = own if environment is Windowed else beginning(first.turns[:2]) + own
    assert stage.agent.engine.prompts.count(expected) >= 3, "of the first one and of both forks"
    assert all(turn.origin is None for turn in fork.turns[2:])
    assert [turn.message for turn in fork.turns] == [turn.message for turn in plain.turns], "replayed or restored"
    if kind != "replayed":
        assert environment.num_restored == num_restored + 1


async def test_a_fork_of_a_fork_knows_where_each_turn_was_first_taken(counting):
    stage = counting.stage(messages=(counting.add(1),))
    first = await play(stage)
    second = await play(stage, "second", prefix=Prefix.of(first, 2))
    third = await play(stage, "third", prefix=Prefix.of(second, 3))
    assert [turn.origin for turn in third.turns] == ["first/0", "first/1", "second/2", None, None, None]
    assert third.success


async def test_a_beginning_must_be_one(counting):
    first = await play(counting.stage(messages=(counting.add(2),)))
    for num_turns in (0, 3, 4):
        with pytest.raises(ValueError, match="first has 3 turns"):
            Prefix.of(first, num_turns)


async def test_snapshots_are_kept_where_somebody_asks_and_under_the_turns_origin(counting):
    stage, snapshots = counting.stage(counting.Saved, messages=(counting.add(2),)), {}
    await play(stage, snapshots=snapshots)
    assert {key: snapshot.state for key, snapshot in snapshots.items()} == {"first/0": (2, 6), "first/1": (4, 6)}
    await play(counting.stage(), "other", snapshots=snapshots)
    assert len(snapshots) == 2, "none are offered"


async def test_an_environment_that_goes_otherwise_than_before_is_excluded(counting):
    class Forgetful(counting.Count):
        plays = 0

        async def reset(self, task):
            type(self).plays += 1
            return await super().reset(task)

        async def step(self, message):
            step = await super().step(message)
            return step._replace(observation=f"{self.count}, in play {self.plays}")

    stage = counting.stage(Forgetful, messages=(counting.add(1),))
    first = await play(stage)
    fork = await play(stage, "fork", prefix=Prefix.of(first, 2))
    assert fork.outcome is Outcome.INFRA_ERROR
    assert "replay diverged at turn 0" in fork.error
    assert fork.turns == ()
    other = await play(stage, "other", prefix=replace(Prefix.of(first, 2), prompt=(Message("user", "Hello."),)))
    assert "replay diverged: the reset" in other.error


async def test_a_step_that_hangs_in_a_replay_is_a_fault(counting):
    class Stuck(counting.Count):
        plays = 0

        async def reset(self, task):
            type(self).plays += 1
            return await super().reset(task)

        async def step(self, message):
            if self.plays > 1:
                await asyncio.Event().wait()
            return await super().step(message)

    stage = counting.stage(Stuck, messages=(counting.add(1),), turn_seconds=0.05)
    fork = await play(stage, "fork", prefix=Prefix.of(await play(stage), 2))
    assert (fork.outcome, fork.turns, fork.scored) == (Outcome.INFRA_ERROR, (), False)


async def test_the_episodes_deadline_in_a_replay_leaves_nothing_to_score(counting):
    class Slow(counting.Count):
        async def step(self, message):
            await asyncio.sleep(0.05)
            return await super().step(message)

    stage = counting.stage(Slow, messages=(counting.add(1),))
    prefix = Prefix.of(await play(stage), 4)
    fork = await play(replace(stage, limits=replace(stage.limits, episode_seconds=0.12)), "fork", prefix=prefix)
    assert (fork.outcome, fork.turns, fork.scored) == (Outcome.TIME_LIMIT, (), False)


async def test_limits_count_the_turns_that_were_taken_before(counting):
    stage = counting.stage(messages=(counting.add(0),), max_turns=5)
    prefix = Prefix.of(await play(stage), 3)
    fork = await play(stage, "fork", prefix=prefix)
    assert (fork.outcome, len(fork.turns)) == (Outcome.TURN_LIMIT, 5)
    stage = counting.stage(messages=(BROKEN,), max_invalid_turns=4)
    prefix = Prefix.of(await play(stage), 3)
    fork = await play(stage, "fork", prefix=prefix)
    assert (fork.outcome, len(fork.turns)) == (Outcome.PARSE_FAILURE, 4)


async def test_calls_that_were_made_before_count_whether_replayed_or_restored(counting):
    for environment in (counting.Count, counting.Saved):
        stage, snapshots = counting.stage(environment, messages=(counting.add(1),)), {}
        prefix = Prefix.of(await play(stage, snapshots=snapshots), 3)
        tight = replace(stage, limits=replace(stage.limits, tools=ToolLimits(max_calls=4)))
        fork = await play(tight, "fork", prefix=prefix, snapshots=snapshots)
        assert [turn.results[0].status for turn in fork.turns] == ["ok"] * 4 + ["limit"] * 4


async def test_a_prefix_as_context_is_not_sampled_and_ends_with_its_notes(counting):
    stage = counting.stage(messages=(counting.add(1),))
    first = await play(stage)
    note = Message("user", "Go on.")
    fork = await play(stage, "fork", prefix=Prefix.of(first, 2).as_context(note))
    assert [turn.sampled for turn in fork.turns] == [False, False, True, True, True, True]
    assert fork.turns[1].observation == (*first.turns[1].observation, note)
    assert stage.agent.renderer.text(fork.turns[2].context_ids).endswith("Go on.<|im_end|>\n<|im_start|>assistant\n")
    assert fork.num_action_tokens == 4 * len(first.turns[0].action_ids)


async def test_agents_without_a_ledger_refuse_to_go_on_from_somewhere(counting):
    stage = counting.stage(messages=(counting.add(1),))
    prefix = Prefix.of(await play(stage), 2)
    script = ScriptedAgent(lambda environment, rng: lambda messages: counting.add(1))
    for agent in (script, ChatAgent(None)):
        with pytest.raises(ConfigError, match="TokenAgent"):
            await play(stage, "fork", prefix=prefix, agent=agent)


async def test_another_agent_may_play_than_the_stages(counting):
    script = ScriptedAgent(lambda environment, rng: lambda messages: counting.add(3))
    trajectory = await play(counting.stage(messages=(counting.add(1),)), agent=script)
    assert [turn.message for turn in trajectory.turns] == [counting.add(3)] * 2
