"""The household as an environment: tool calls, commands as text, compact observations, snapshots."""

import random
from dataclasses import replace

import pytest

from agentrl.acting.tool import Context
from agentrl.messages import Message, ToolCall, as_messages
from agentrl.trajectory import CallStatus, Task
from agentrl_environments.household.difficulty import DIFFICULTIES
from agentrl_environments.household.env import HouseholdText, HouseholdTools
from agentrl_environments.household.house import Kind

TASK = Task("small")
QUICK_WITH_ALL_KINDS = replace(DIFFICULTIES["quick"], kinds=tuple(Kind))
WAY_TO_THE_MUG = ["go to countertop 1", "take mug 2 from countertop 1", "go to sidetable 1"]


def call(tool, /, **arguments):
    return Message("assistant", "", (ToolCall(tool, arguments, "call_0"),))


def text_of(step):
    return "\n".join(message.text for message in as_messages(step.observation))


@pytest.fixture
async def tools(house):
    environment = HouseholdTools(lambda task: house, DIFFICULTIES["standard"])
    environment.context = Context(TASK)
    await environment.reset(TASK)
    return environment


@pytest.fixture
async def compact(house):
    environment = HouseholdTools(lambda task: house, QUICK_WITH_ALL_KINDS)
    environment.context = Context(TASK)
    return environment


async def text(house, *, history=None, difficulty=DIFFICULTIES["standard"]):
    environment = HouseholdText(lambda task: house, difficulty, history)
    environment.context = Context(TASK)
    return environment, await environment.reset(TASK)


def act(command):
    return Message("assistant", f"<think>so</think><action>{command}</action>")


async def test_there_is_a_tool_for_each_verb_and_its_schema_says_what_to_give(tools):
    schemas = {schema.name: schema for schema in tools.tool_schemas()}
    verbs = "go_to open close take move use clean heat cool slice examine inventory look"
    assert list(schemas) == verbs.split()
    assert schemas["take"].parameters["required"] == ["object"]
    assert set(schemas["take"].parameters["properties"]) == {"object", "receptacle"}
    assert schemas["slice"].parameters["required"] == ["object", "knife"]


async def test_tools_answer_with_the_game_s_sentences_and_the_winning_turn_earns_the_reward(tools):
    first = await tools.step(call("go_to", receptacle="countertop 1"))
    assert text_of(first) == (
        "You arrive at countertop 1. On the countertop 1, you see a apple 1, a butterknife 1, and a mug 2."
    )
    assert (first.reward, first.terminated, first.valid) == (0.0, False, True)
    await tools.step(call("take", object="mug 2", receptacle="countertop 1"))
    await tools.step(call("go_to", receptacle="sidetable 1"))
    last = await tools.step(call("move", object="mug 2", receptacle="sidetable 1"))
    assert text_of(last) == "You move the mug 2 to the sidetable 1."
    assert (last.reward, last.terminated) == (1.0, True)


@pytest.mark.parametrize(
    ("messages", "answer"),
    [
        ([call("go_to", receptacle="fridge 1"), call("open", receptacle="fridge 1")], "You open the fridge 1. "),
        ([call("go_to", receptacle="fridge 1"), call("close", receptacle="fridge 1")], "Nothing happens."),
        ([call("go_to", receptacle="sidetable 1"), call("use", object="desklamp 1")], "You turn on the desklamp 1."),
        ([call("examine", name="fridge 1")], "Nothing happens."),
        ([call("inventory")], "You are not carrying anything."),
        ([call("look")], "You are in the middle of a room. "),
        ([call("go_to", receptacle="Fridge  1")], "You arrive at fridge 1. The fridge 1 is closed."),
    ],
)
async def test_each_tool_carries_out_its_verb(tools, messages, answer):
    for message in messages:
        step = await tools.step(message)
    assert text_of(step).startswith(answer)


@pytest.mark.parametrize(
    ("verb", "place", "answer"),
    [
        ("clean", "sinkbasin 1", "You clean the apple 1 using the sinkbasin 1."),
        ("heat", "microwave 1", "You heat the apple 1 using the microwave 1."),
        ("cool", "fridge 1", "You cool the apple 1 using the fridge 1."),
        ("move", "sidetable 1", "You move the apple 1 to the sidetable 1."),
        ("move", "microwave 1", "Nothing happens."),
    ],
)
@pytest.mark.parametrize("is_short", [True, False])
async def test_the_receptacle_may_be_left_out_where_the_player_stands_before_it(tools, verb, place, answer, is_short):
    await tools.step(call("go_to", receptacle="countertop 1"))
    named = {} if is_short else {"receptacle": "countertop 1"}
    assert text_of(await tools.step(call("take", object="apple 1", **named))).startswith("You pick up the apple 1")
    await tools.step(call("go_to", receptacle=place))
    named = {} if is_short else {"receptacle": place}
    assert text_of(await tools.step(call(verb, object="apple 1", **named))) == answer


async def test_slicing_takes_a_knife(tools):
    await tools.step(call("go_to", receptacle="countertop 1"))
    await tools.step(call("take", object="butterknife 1"))
    step = await tools.step(call("slice", object="apple 1", knife="butterknife 1"))
    assert text_of(step) == "You sliced the apple 1 with the butterknife 1."


async def test_a_message_without_a_call_is_answered_with_a_hint_and_ends_nothing(tools):
    step = await tools.step(Message("assistant", "I go to the fridge."))
    assert "Call one of the tools" in text_of(step)
    assert (step.valid, step.terminated, step.reward) == (False, False, 0.0)
    assert text_of(await tools.step(call("inventory"))) == "You are not carrying anything."


async def test_unknown_tools_and_wrong_arguments_are_answered_and_change_nothing(tools):
    before = tools.state_key()
    for message, status in (
        (call("teleport", receptacle="fridge 1"), CallStatus.UNKNOWN_TOOL),
        (call("go_to", place="fridge 1"), CallStatus.INVALID_ARGUMENTS),
        (call("go_to"), CallStatus.INVALID_ARGUMENTS),
    ):
        step = await tools.step(message)
        assert [result.status for result in step.results] == [status]
        assert not step.terminated
    assert tools.state_key() == before


async def test_calls_after_the_goal_in_the_same_turn_cannot_undo_it(tools):
    for message in (call("go_to", receptacle="countertop 1"), call("take", object="mug 2")):
        await tools.step(message)
    await tools.step(call("go_to", receptacle="sidetable 1"))
    calls = (ToolCall("move", {"object": "mug 2"}, "a"), ToolCall("take", {"object": "mug 2"}, "b"))
    step = await tools.step(Message("assistant", "", calls))
    assert [message.text for message in as_messages(step.observation)] == [
        "You move the mug 2 to the sidetable 1.", "The task is done.",
    ]  # fmt: skip
    assert (step.reward, step.terminated) == (1.0, True)


async def test_many_calls_in_one_turn_do_not_stretch_the_limit_of_steps(tools):
    looks = tuple(ToolCall("look", {}, f"call_{index}") for index in range(10))
    for _ in range(4):
        await tools.step(Message("assistant", "", looks))
    assert "no time left" not in text_of(await tools.step(Message("assistant", "", looks)))
    step = await tools.step(call("go_to", receptacle="countertop 1"))
    assert text_of(step) == "There is no time left."
    assert (step.terminated, step.reward) == (False, 0.0)


async def test_text_prompts_list_the_commands_but_not_help(house):
    environment, prompt = await text(house)
    assert house.task in prompt
    assert "'go to cabinet 1'\n'go to cabinet 2'" in prompt
    assert "'help'" not in prompt
    assert "<action>" in prompt
    step = await environment.step(act("go to countertop 1"))
    assert text_of(step).startswith("You arrive at countertop 1.")
    assert "'take mug 2 from countertop 1'" in text_of(step)
    assert environment.tool_schemas() == ()


@pytest.mark.parametrize(
    "last", ["move mug 2 to sidetable 1", "put mug 2 in/on sidetable 1", "Put mug 2 on sidetable 1."]
)
async def test_commands_as_text_win_in_either_wording(house, last):
    environment, _ = await text(house)
    for command in WAY_TO_THE_MUG:
        step = await environment.step(act(command))
        assert (step.reward, step.terminated, step.valid) == (0.0, False, True)
    step = await environment.step(act(last))
    assert (step.reward, step.terminated, step.valid) == (1.0, True, True)


@pytest.mark.parametrize("message", ["go to fridge 1", "<action>go to fridge 1", ""])
async def test_text_without_an_action_is_invalid_and_changes_nothing(house, message):
    environment, _ = await text(house)
    before = environment.state_key()
    step = await environment.step(Message("assistant", message))
    assert "between <action> and </action>" in text_of(step)
    assert (step.valid, step.terminated, step.reward) == (False, False, 0.0)
    assert environment.state_key() == before


async def test_a_command_that_cannot_be_carried_out_is_valid_and_does_nothing(house):
    environment, _ = await text(house)
    step = await environment.step(act("take mug 2 from countertop 1"))
    assert text_of(step).startswith("Nothing happens.")
    assert step.valid


async def test_with_a_history_each_turn_is_one_prompt_with_the_last_turns_in_it(house):
    environment, _ = await text(house, history=2)
    for command in [*WAY_TO_THE_MUG[:2], "look"]:
        step = await environment.step(act(command))
    assert step.context is not None
    (prompt,) = step.context
    assert (prompt.role, len(step.context)) == ("user", 1)
    assert f"Your task is to: {house.task}" in prompt.text
    assert "You have taken 3 turns; these are the last 2." in prompt.text
    assert "Turn 2: you did: take mug 2 from countertop 1" in prompt.text
    assert "Turn 1:" not in prompt.text
    assert "This is turn 4. You see: You are facing the countertop 1." in prompt.text
    assert "'move mug 2 to countertop 1'" in prompt.text


async def test_without_a_history_the_conversation_grows(house):
    environment, _ = await text(house)
    assert (await environment.step(act("look"))).context is None


async def test_compact_observations_restate_goal_and_hands_and_say_whether_what_is_sought_is_here(compact):
    first = await compact.reset(TASK)
    assert first == (
        "You see sinkbasin 1, sidetable 1, microwave 1, fridge 1, countertop 1, cabinet 1, cabinet 2. "
        "Goal: put mug in sidetable 1. Holding nothing."
    )
    goal = "Goal: put mug in sidetable 1."
    for message, line in (
        (call("go_to", receptacle="sinkbasin 1"), f"{goal} Holding nothing. At sinkbasin 1. Not here."),
        (call("go_to", receptacle="fridge 1"), f"{goal} Holding nothing. At fridge 1. Closed."),
        (call("open", receptacle="fridge 1"), f"{goal} Holding nothing. At fridge 1. Not here."),
        (call("open", receptacle="fridge 1"), f"Nothing happens. {goal} Holding nothing. At fridge 1. Not here."),
        (call("go_to", receptacle="countertop 1"), f"{goal} Holding nothing. At countertop 1. Found mug 2."),
        (call("take", object="mug 2"), f"{goal} Holding mug 2. At countertop 1. Not here."),
        (call("go_to", receptacle="sidetable 1"), f"{goal} Holding mug 2. At sidetable 1. Found sidetable 1."),
    ):
        assert text_of(await compact.step(message)) == line
    assert (await compact.step(call("move", object="mug 2"))).reward == 1.0


async def test_compact_observations_offer_only_the_tools_that_the_kinds_of_tasks_need(house, compact):
    assert list(compact.tools) == ["go_to", "open", "take", "move", "use", "clean", "heat", "cool"]
    quick = HouseholdTools(lambda task: house, DIFFICULTIES["quick"])
    assert list(quick.tools) == ["go_to", "open", "take", "move", "clean", "heat", "cool"]
    placing = HouseholdTools(lambda task: house, replace(DIFFICULTIES["quick"], kinds=(Kind.PLACE,)))
    assert list(placing.tools) == ["go_to", "open", "take", "move"]


@pytest.mark.parametrize("form", ["tools", "text", "window"])
async def test_a_snapshot_restored_elsewhere_goes_on_alike(house, form):
    def make():
        if form == "tools":
            return HouseholdTools(lambda task: house, DIFFICULTIES["standard"])
        return HouseholdText(lambda task: house, DIFFICULTIES["standard"], 2 if form == "window" else None)

    one, rng = make(), random.Random(1)
    one.context = Context(TASK)
    await one.reset(TASK)
    for _ in range(60):
        other = make()
        other.context = Context(TASK)
        other.restore(one.snapshot())
        assert other.state_key() == one.state_key()
        message = one.message(rng.choice(one.choices()))
        here, there = await one.step(message), await other.step(message)
        assert here._replace(results=()) == there._replace(results=())
        assert other.state_key() == one.state_key()


async def test_state_keys_tell_states_apart_by_what_is_where_and_not_by_how_it_came_there(tools, house):
    start = tools.state_key()
    await tools.step(call("look"))
    assert tools.state_key() == start
    await tools.step(call("go_to", receptacle="countertop 1"))
    there = tools.state_key()
    assert there != start
    await tools.step(call("take", object="mug 2"))
    held = tools.state_key()
    assert held not in (start, there)
    await tools.step(call("move", object="mug 2"))
    assert tools.state_key() == there
    hash(tools.state_key())
