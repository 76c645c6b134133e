"""The token ledger: each planner call is a sequence of its own, and all of a trajectory's share its reward."""

import pytest
import torch

from agentrl.acting.agent import ScriptedAgent, TokenAgent
from agentrl.acting.engine import Completion, Sampling
from agentrl.acting.renderer import Renderer
from agentrl.acting.rollout import Limits, Stage, Start, rollout
from agentrl.config import RunConfig
from agentrl.learning.batch import minibatches, pack, split
from agentrl.learning.credit import CREDIT
from agentrl.learning.tiny import create_tiny, train_tokenizer, transcripts
from agentrl.messages import Message
from agentrl.train import train
from agentrl.trajectory import Group, read_trajectories
from agentrl_environments.planner import suite


@pytest.fixture(scope="module")
def made():
    return suite("quick")


@pytest.fixture(scope="module")
def renderer(made):
    texts = transcripts(
        [[Message("user", "Goal: distance of Tarn in m"), Message("assistant", "table: Tarn, distance")]]
    )
    return Renderer(train_tokenizer(made.lexicon, texts, vocabulary=400), parser="plain")


async def play(made, agent, count):
    stage = Stage(suite=made, agent=agent, limits=Limits(max_turns=made.max_turns))
    return [
        await rollout(Start(task=made.tasks("train")[0], trajectory_id=f"t{seed}", seed=seed), stage)
        for seed in range(count)
    ]


def group_of(trajectories):
    return Group(id="g", task=trajectories[0].task, trajectories=tuple(trajectories))


async def test_each_planner_call_is_a_sequence_with_a_prompt_of_its_own(made, renderer):
    trajectories = await play(made, ScriptedAgent(made.script("novice"), renderer), 8)
    num_turns = [len(trajectory.turns) for trajectory in trajectories]
    assert max(num_turns) > 2
    for trajectory in trajectories:
        assert all(turn.opens_sequence for turn in trajectory.turns)
        assert len(list(trajectory.sequences())) == len(trajectory.turns)
        told = [renderer.text(turn.context_ids) for turn in trajectory.turns]
        for number, text in enumerate(told):
            assert text.count("<|im_start|>") == 2, "one question, and where the answer begins"
            assert f"Goal: {trajectory.task.data['question']}" in text
            lines = [line for line in text.splitlines() if line[:2] in {f"{step} " for step in range(1, 9)}]
            assert len(lines) == number, "one line of memory for each turn before"
    batch = pack([group_of(trajectories)])
    assert (batch.num_trajectories, batch.num_turns, batch.num_sequences) == (8, sum(num_turns), sum(num_turns))
    assert torch.equal(batch.sequence_U, torch.arange(batch.num_turns))
    assert torch.equal(batch.position_T[batch.turn_T.diff(prepend=torch.tensor([-1])) > 0], torch.zeros(sum(num_turns)))
    assert all(part.num_sequences == part.num_turns for part in split(batch, 64))


async def test_the_outcome_reaches_every_call_of_the_trajectory(made, renderer):
    trajectories = await play(made, ScriptedAgent(made.script("novice"), renderer), 12)
    batch = pack([group_of(trajectories)])
    worth = torch.tensor([trajectory.total_reward for trajectory in trajectories], dtype=torch.float64)
    assert set(worth.tolist()) == {0.0, 1.0}
    assert all(turn.reward == 0 for trajectory in trajectories for turn in trajectory.turns[:-1])
    rows = worth[batch.trajectory_U]
    expected = (rows - rows.mean()) / (rows.std() + 1e-6)
    advantage_T = CREDIT["flow_grpo"](batch)
    assert torch.allclose(batch.token_to_turn(advantage_T).double(), expected, atol=1e-5)
    assert sum(part.num_sequences for part in minibatches(batch, 3)) == batch.num_sequences


class Copying:
    """An engine that says what an expert would, in token ids, to whatever prompt."""

    def __init__(self, renderer, texts):
        self.renderer = renderer
        self.texts = iter(texts)
        self.prompts = []

    async def generate(self, prompt_ids, sampling, *, session=""):
        self.prompts.append(tuple(prompt_ids))
        ids = self.renderer.encode(Message("assistant", next(self.texts)))
        return Completion(ids=ids, logprobs=(-0.5,) * len(ids))

    def release(self, session):
        pass

    async def close(self):
        pass


async def test_what_an_engine_samples_is_kept_as_it_is_behind_the_prompt_that_it_saw(made, renderer):
    task = made.tasks("train")[0]
    engine = Copying(renderer, [f"{tool}: {sub_goal}" for tool, sub_goal in task.data["steps"]])
    agent = TokenAgent(engine=engine, renderer=renderer, sampling=Sampling(max_tokens=64), max_sequence_tokens=1024)
    (trajectory,) = await play(made, agent, 1)
    assert trajectory.success
    assert [turn.context_ids for turn in trajectory.turns] == engine.prompts
    assert all(turn.opens_sequence for turn in trajectory.turns)
    batch = pack([group_of([trajectory])])
    assert batch.sampled_logprob_T[batch.action_T].unique().tolist() == [-0.5]
    assert batch.num_sequences == len(task.data["steps"])


def test_the_policy_that_is_trained_may_play_the_other_modules_too(made, tmp_path):
    texts = transcripts([[Message("user", "Goal: distance of Tarn in m"), Message("assistant", "table: Tarn, age")]])
    create_tiny(tmp_path / "model", made.lexicon, texts, size="0.1m", vocabulary=400)
    modules = {"executor": "policy", "verifier": "policy", "generator": "policy"}
    run = RunConfig.parse(
        {
            "environment": {"name": "planner", "args": {"difficulty": "quick", **modules}},
            "model": {"path": str(tmp_path / "model"), "threads": 1},
            "rollout": {"groups_per_step": 2, "group_size": 2, "max_turn_tokens": 8, "max_sequence_tokens": 2048},
            "optimizer": {"steps": 1},
            "evaluation": {"num_tasks": 2},
            "checkpoint": {"trajectories_every": 1},
        }
    )
    directory = train(run, tmp_path / "run")
    stored = [entry.trajectory for entry in read_trajectories(directory / "trajectories.jsonl")]
    assert len(stored) == 4
    assert all(trajectory.scored and "correct" in trajectory.rewards for trajectory in stored)
    assert all("Answer: " in trajectory.turns[-1].observation[0].text for trajectory in stored)
