"""How the planner's text is read."""

import pytest

from agentrl.messages import Message, ToolCall
from agentrl_environments.planner.plans import Plan, canonical, compact, find_tool, labelled, read_plan
from agentrl_environments.planner.tools import TOOLS

LABELLED = Plan("table", "Tarn, distance", "Mira lives in Tarn")


@pytest.mark.parametrize(
    "text",
    [
        "Context: Mira lives in Tarn\nSub-Goal: Tarn, distance\nTool Name: table",
        "Justification: I know the town.\n\n**Context:** Mira lives in Tarn\n**Sub-Goal:** Tarn, distance\n"
        "**Tool Name:** table",
        "1. Justification: fine\n2. Context: Mira lives in Tarn\n3. Sub-Goal: Tarn, distance\n4. Tool Name: `table`",
        "Context: draft\nSub-Goal: draft\nTool Name: draft\n\nNo, better:\nContext: Mira lives in Tarn\n"
        "Sub-Goal: Tarn, distance\nTool Name: table\n",
        "<think>Tool Name: directory?</think>\nContext: Mira lives in Tarn\nSub-Goal: Tarn, distance\nTool Name: table",
    ],
)
def test_three_lines_are_a_plan_and_the_last_ones_count(text):
    assert read_plan(Message("assistant", text)) == LABELLED


def test_a_context_may_be_missing_and_a_thought_before_the_sub_goal_is_none():
    plan = read_plan(Message("assistant", "I ask the table.\nSub-Goal: Tarn, distance\nTool Name: table"))
    assert plan == Plan("table", "Tarn, distance", "")


@pytest.mark.parametrize("text", ["table: Tarn, distance", "I look it up.\n table :  Tarn, distance "])
def test_a_last_line_of_tool_and_sub_goal_is_a_plan(text):
    assert read_plan(Message("assistant", text)) == Plan("table", "Tarn, distance")


def test_a_tool_call_is_a_plan_whose_sub_goal_is_its_arguments():
    call = ToolCall("table", {"row": "Tarn", "column": "distance"}, "a")
    plan = read_plan(Message("assistant", "", (call, ToolCall("directory", {}, "b"))))
    assert plan == Plan("table", '{"row": "Tarn", "column": "distance"}')


@pytest.mark.parametrize(
    "message",
    [
        Message("assistant", ""),
        Message("assistant", "table"),
        Message("assistant", ": Tarn"),
        Message("assistant", "Context: Tarn"),
        Message("assistant", "Sub-Goal: find out\n"),
        Message("assistant", "Tool Name: table"),
        Message("assistant", "Sub-Goal: Tarn\nTool Name:"),
        Message("assistant", "", (ToolCall("", '{"name": ', "a"),)),
    ],
)
def test_without_tool_or_sub_goal_there_is_no_plan(message):
    assert read_plan(message) is None


@pytest.mark.parametrize("write", [labelled, compact])
def test_what_is_written_is_read_again(write):
    plan = read_plan(Message("assistant", write(LABELLED)))
    assert plan is not None
    assert plan[:2] == LABELLED[:2]


@pytest.mark.parametrize("name", ["table", "Table", " `table` ", "TABLE."])
def test_a_tool_is_found_in_any_spelling(name):
    assert find_tool(name, TOOLS) is TOOLS["table"]


def test_blanks_stand_for_underscores_and_other_names_for_nothing():
    assert canonical("Look  Up_it") == "look_up_it"
    assert find_tool("tables", TOOLS) is None


def test_reading_takes_no_time_that_grows_faster_than_the_text():
    text = "Context: a\nSub-Goal: b\n" * 20_000
    assert read_plan(Message("assistant", text + "Tool Name: table")) == Plan("table", "b", "a")
