"""How well the scripted planners do."""

import random

import pytest

from agentrl.acting.agent import ScriptedAgent
from agentrl.acting.rollout import Limits, Stage, Start, rollout
from agentrl.acting.tool import Context, tool
from agentrl.errors import ConfigError
from agentrl.trajectory import Task
from agentrl_environments.planner import suite
from agentrl_environments.planner.difficulty import DIFFICULTIES
from agentrl_environments.planner.experts import NOVICE_SLIPS

NAMES = pytest.mark.parametrize("name", list(DIFFICULTIES))


async def play(made, script, count):
    limits = Limits(max_turns=made.max_turns, max_invalid_turns=made.max_turns)
    stage = Stage(suite=made, agent=ScriptedAgent(made.script(script)), limits=limits)
    starts = [
        Start(task=task, trajectory_id=f"t{number}", seed=number)
        for number, task in enumerate(made.tasks("train")[:count])
    ]
    return [await rollout(start, stage) for start in starts]


def success_rate(played):
    return sum(trajectory.success for trajectory in played) / len(played)


@NAMES
async def test_the_expert_answers_every_question_by_its_steps_alone(name):
    played = await play(suite(name), "expert", 300)
    assert success_rate(played) == 1.0
    assert [len(trajectory.turns) for trajectory in played] == [
        len(trajectory.task.data["steps"]) for trajectory in played
    ]
    assert all(turn.valid for trajectory in played for turn in trajectory.turns)


@NAMES
async def test_random_play_hardly_ever_does(name):
    assert success_rate(await play(suite(name), "random", 400)) < 0.05


@NAMES
async def test_a_novice_answers_some(name):
    assert 0.2 < success_rate(await play(suite(name), "novice", 200)) < 0.7


async def test_a_novice_cannot_always_be_understood():
    turns = [turn for trajectory in await play(suite("quick"), "novice", 500) for turn in trajectory.turns]
    share = sum(not turn.valid for turn in turns) / len(turns)
    assert NOVICE_SLIPS / 3 < share < NOVICE_SLIPS * 3


async def test_guesses_can_be_carried_out():
    turns = [turn for trajectory in await play(suite(), "random", 60) for turn in trajectory.turns]
    assert len(turns) > 200
    assert all(result.status == "ok" for turn in turns for result in turn.results)
    assert {turn.results[0].call.name for turn in turns} == {"directory", "table", "calculator", "convert", "calendar"}


async def test_the_same_seed_plays_the_same():
    first, second = [await play(suite("quick"), "novice", 20) for _ in range(2)]
    assert [[turn.message for turn in one.turns] for one in first] == [
        [turn.message for turn in other.turns] for other in second
    ]


async def test_a_task_that_names_no_steps_can_be_guessed_at_but_has_no_expert():
    @tool
    async def look_up(key: str) -> str:
        """Find a thing."""
        return key

    task = Task("sky", 0, {"question": "What is blue?", "answer": "sky", "answered_by": "look_up"})
    made = suite(tools=[look_up], tasks=[task])
    environment = made.make()
    environment.context = Context(task)
    await environment.reset(task)
    with pytest.raises(ConfigError, match="has no 'steps'"):
        made.script("expert")(environment, random.Random(0))([])
    assert made.script("random")(environment, random.Random(0))([]).text.startswith("Context: ")
