"""The loop: memory, errors in words, what ends it, and what the answer earns."""

import asyncio
from dataclasses import replace

import pytest

from agentrl.acting.agent import ScriptedAgent
from agentrl.acting.rollout import Limits, Stage, Start, rollout
from agentrl.acting.tool import Context, ToolLimits, tool
from agentrl.errors import SandboxError, ToolError
from agentrl.messages import ImagePart, Message, TextPart, ToolCall
from agentrl.trajectory import CallStatus, Outcome, Task
from agentrl_environments.planner import suite
from agentrl_environments.planner.difficulty import DIFFICULTIES, Difficulty
from agentrl_environments.planner.memory import ActionStep
from agentrl_environments.planner.plans import Plan

WAY = ("directory: Mira", "table: Tarn, distance", "convert: 12 km, m")


def plans(*texts):
    """A planner that says these, and then nothing."""

    def script(environment, rng):
        remaining = iter(texts)
        return lambda messages: Message("assistant", next(remaining, ""))

    return ScriptedAgent(script)


async def play(task, agent, limits=None, **arguments):
    made = suite(**arguments)
    stage = Stage(suite=made, agent=agent, limits=limits or Limits(max_turns=made.max_turns))
    return await rollout(Start(task=task, trajectory_id="t", seed=0), stage)


async def test_memory_grows_by_a_step_a_turn_and_the_prompt_is_made_anew_from_it(begin, say, task):
    environment, first = await begin()
    assert f"Question: {task.data['question']}" in first
    assert "Nothing has been done so far." in first
    assert "step 1 of at most 8" in first
    assert "- table(row, column): One cell of a table" in first
    assert "Tool Name: <one of directory, table, calculator, convert, calendar>" in first
    assert "separated by commas" in first
    await environment.step(say("Context: \nSub-Goal: Mira\nTool Name: Directory"))
    step = await environment.step(say(WAY[1]))
    assert environment.memory == (
        ActionStep(
            "directory", "Mira", 'directory(name="Mira")', "lives in Tarn, has worked for Brook since 2021-03-05", True
        ),
        ActionStep("table", "Tarn, distance", 'table(row="Tarn", column="distance")', "12 km", True),
    )
    assert step.context is not None
    (prompt,) = step.context
    assert prompt.role == "user"
    assert (
        "Action Step 2\n  tool: table\n  sub-goal: Tarn, distance\n"
        '  command: table(row="Tarn", column="distance")\n  result: 12 km\n\nThis is step 3 of at most 8.'
    ) in prompt.text
    assert prompt.text.index("Action Step 1\n") < prompt.text.index("Action Step 2\n")
    assert (step.terminated, step.valid, step.reward) == (False, True, 0.0)


async def test_compact_prompts_hold_the_question_and_a_line_a_step(begin, say):
    environment, first = await begin(difficulty="quick")
    assert first.splitlines() == ["Goal: What is the distance of the town where Mira lives, in m?"]
    step = await environment.step(say(WAY[0]))
    assert step.observation == "1 directory: Mira -> lives in Tarn, has worked for Brook since 2021-03-05"
    assert step.context == (Message("user", f"{first}\n{step.observation}"),)
    assert environment.message(Plan("table", "Tarn, distance", "known")).text == "table: Tarn, distance"


async def test_the_answer_ends_the_loop_and_is_worth_one(task):
    trajectory = await play(task, plans(*WAY))
    assert trajectory.outcome is Outcome.FINISHED
    assert trajectory.success
    assert trajectory.rewards == {"correct": 1.0}
    assert [turn.reward for turn in trajectory.turns] == [0.0, 0.0, 1.0], "earned by the last turn"
    assert trajectory.turns[-1].observation[0].text.endswith("result: 12000 m\nAnswer: 12000 m")
    assert [[result.status for result in turn.results] for turn in trajectory.turns] == [[CallStatus.OK]] * 3


async def test_a_wrong_answer_of_the_right_form_ends_the_loop_and_is_worth_nothing(task):
    trajectory = await play(task, plans("convert: 3 km, m"))
    assert (trajectory.outcome, len(trajectory.turns)) == (Outcome.FINISHED, 1)
    assert (trajectory.rewards, trajectory.success) == ({"correct": 0.0}, False)


async def test_an_unknown_tool_becomes_an_error_in_memory_and_the_loop_goes_on(task):
    trajectory = await play(task, plans("tabel: Tarn, distance", *WAY))
    assert trajectory.success
    unknown = trajectory.turns[0]
    assert [result.status for result in unknown.results] == [CallStatus.UNKNOWN_TOOL]
    assert not unknown.valid
    assert 'command: none\n  result: There is no tool "tabel". Did you mean table' in unknown.observation[0].text


async def test_a_message_without_a_plan_becomes_a_step_of_its_own(begin, say, task):
    environment, _ = await begin()
    step = await environment.step(say("I wonder."))
    assert (step.valid, step.terminated, step.results) == (False, False, ())
    assert environment.memory == (ActionStep("none", "none", "none", "No tool was named, so nothing was done.", False),)
    assert (await play(task, plans("I wonder.", *WAY))).success


@pytest.mark.parametrize(
    ("said", "status", "result"),
    [
        ("table: Nowhere, distance", CallStatus.TOOL_ERROR, "There is no row 'Nowhere'."),
        ("table: Tarn", CallStatus.INVALID_ARGUMENTS, "table was not called. column: Field required"),
        ('table: {"row": "Tarn", "colour": 1}', CallStatus.INVALID_ARGUMENTS, "colour"),
        ("convert: 12 km, furlongs", CallStatus.TOOL_ERROR, "Cannot convert km to furlongs."),
        ("calendar: 2021-03-05, soon", CallStatus.INVALID_ARGUMENTS, "days"),
    ],
)
async def test_a_tool_s_error_is_kept_in_memory_and_ends_nothing(begin, say, said, status, result):
    environment, _ = await begin()
    step = await environment.step(say(said))
    assert [entry.status for entry in step.results] == [status]
    assert result in environment.memory[0].result
    assert not environment.memory[0].succeeded
    assert not step.terminated


async def test_arguments_in_json_are_taken_as_they_are(begin, say):
    environment, _ = await begin()
    await environment.step(say('calendar: {"day": "2021-03-05", "days": 90}'))
    assert environment.memory[0].result == "2021-06-03"
    assert environment.memory[0].command == 'calendar(day="2021-03-05", days=90)'


async def test_steps_that_run_out_end_the_loop_with_what_there_is(task):
    short = Difficulty(name="short", max_steps=2)
    trajectory = await play(task, plans(*WAY), difficulty=short)
    assert (trajectory.outcome, len(trajectory.turns)) == (Outcome.FINISHED, 2)
    assert trajectory.turns[-1].observation[0].text.endswith("Answer: 12 km")
    assert trajectory.rewards == {"correct": 0.0}
    near = replace(task, data={**task.data, "answer": "12 km"})
    assert (await play(near, plans(*WAY), difficulty=short)).rewards == {"correct": 1.0}


async def test_time_that_runs_out_ends_the_loop_with_what_there_is(task):
    trajectory = await play(task, plans(*WAY), difficulty=replace(DIFFICULTIES["standard"], max_seconds=1e-9))
    assert (trajectory.outcome, len(trajectory.turns)) == (Outcome.FINISHED, 1)
    assert "Answer: lives in Tarn" in trajectory.turns[-1].observation[0].text


async def test_a_limit_from_outside_leaves_the_answer_to_be_graded_all_the_same(task):
    near = replace(task, data={**task.data, "answer": "12 km"})
    trajectory = await play(near, plans(*WAY), limits=Limits(max_turns=2))
    assert (trajectory.outcome, trajectory.rewards) == (Outcome.TURN_LIMIT, {"correct": 1.0})
    trajectory = await play(near, plans("", "", ""), limits=Limits(max_invalid_turns=2))
    assert (trajectory.outcome, trajectory.rewards) == (Outcome.PARSE_FAILURE, {"correct": 0.0})


async def test_a_tool_whose_machinery_fails_excludes_the_trajectory(task):
    @tool
    async def directory(name: str) -> str:
        """Look someone up."""
        raise SandboxError("the disk is full")

    trajectory = await play(task, plans(*WAY), tools=[directory])
    assert trajectory.outcome is Outcome.INFRA_ERROR
    assert not trajectory.scored
    assert trajectory.error == "SandboxError: the disk is full"


async def test_a_tool_that_hangs_is_stopped_and_that_is_kept_in_memory(begin, say, task):
    @tool
    async def directory(name: str) -> str:
        """Look someone up."""
        await asyncio.Event().wait()
        return "never"

    environment, _ = await begin(tools=[directory])
    environment.context = Context(task, limits=ToolLimits(call_seconds=0.02))
    step = await environment.step(say(WAY[0]))
    assert [entry.status for entry in step.results] == [CallStatus.TIMEOUT]
    assert "did not finish within 0.02 s" in environment.memory[0].result


async def test_own_tools_and_tasks(say):
    @tool
    def look_up(key: str) -> tuple[TextPart, ImagePart]:
        """Find a thing.

        Args:
            key: Its name.
        """
        return (TextPart("blue"), ImagePart(b""))

    @tool(name="fail")
    async def fail_always() -> str:
        """Nothing good."""
        raise ToolError("no luck")

    task = Task("sky", 0, {"question": "What colour is the sky?", "answer": "blue(an image)", "answered_by": "look_up"})
    made = suite(tools=[look_up, fail_always], tasks=[task])
    environment = made.make()
    environment.context = Context(task)
    prompt = await environment.reset(made.tasks("train")[0])
    assert "- look_up(key): Find a thing. key: Its name." in prompt
    assert "- fail(): Nothing good.\n" in prompt
    assert "directory" not in prompt
    await environment.step(say("fail: now"))
    step = await environment.step(say("Look Up: the sky"))
    assert [entry.result for entry in environment.memory] == ["no luck", "blue(an image)"]
    assert step.terminated
    assert await environment.correct() == 1.0


async def test_an_own_grade_may_wait_for_its_verdict(task):
    async def half(answer, task):
        await asyncio.sleep(0)
        return 0.5 if answer == "12000 m" else 0.0

    assert (await play(task, plans(*WAY), grade=half)).rewards == {"correct": 0.5}
    assert (await play(task, plans(*WAY), grade=lambda answer, task: len(answer) / 14)).rewards == {"correct": 0.5}


async def test_a_planner_that_calls_tools_itself_is_understood(begin, task):
    environment, _ = await begin()
    assert environment.tool_schemas() == ()
    step = await environment.step(Message("assistant", "", (ToolCall("table", {"row": "Tarn", "column": "distance"}),)))
    assert environment.memory[0].result == "12 km"
    assert step.valid


async def test_states_are_told_apart_by_what_the_planner_is_told(begin, say, task):
    one, _ = await begin()
    other, _ = await begin()
    start = one.state_key()
    assert start == other.state_key()
    await one.step(say("Some thought.\ndirectory: Mira"))
    await other.step(say("Context: none\nSub-Goal: Mira\nTool Name: directory"))
    assert start != one.state_key() == other.state_key()
    hash(one.state_key())
    elsewhere, _ = await begin(replace(task, data={**task.data, "question": "How far?"}))
    assert elsewhere.state_key() != start


async def test_a_snapshot_restored_elsewhere_goes_on_alike(begin, say):
    one, _ = await begin()
    await one.step(say(WAY[0]))
    other, _ = await begin()
    other.restore(one.snapshot())
    for text in WAY[1:]:
        here, there = await one.step(say(text)), await other.step(say(text))
        assert here._replace(results=()) == there._replace(results=())
        assert one.state_key() == other.state_key()
    assert here.terminated
