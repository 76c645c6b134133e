import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrl.acting.parsers import PARSERS, action_tag, hermes, plain
from agentrl.messages import Message, ToolCall


def written(payload: str) -> str:
    return f"<tool_call>\n{payload}\n</tool_call>"


def test_plain_text_stays_as_it_is() -> None:
    assert plain(" <tool_call> a ") == Message("assistant", " <tool_call> a ")


def test_calls_are_read_in_order_and_taken_out_of_the_text() -> None:
    text = (
        "First.\n"
        + written('{"name": "go", "arguments": {"to": "desk 1"}}')
        + "\nThen.\n"
        + written('{"name": "look", "arguments": {}}')
    )
    assert hermes(text) == Message(
        "assistant",
        "First.\n\nThen.",
        (ToolCall("go", {"to": "desk 1"}, "call_0"), ToolCall("look", {}, "call_1")),
    )


def test_a_text_without_calls_has_none() -> None:
    assert hermes("  The answer is 4. ") == Message("assistant", "The answer is 4.")


def test_a_last_call_may_lack_its_closing_tag() -> None:
    assert hermes('<tool_call>{"name": "look", "arguments": {}}').tool_calls == (ToolCall("look", {}, "call_0"),)


def test_arguments_may_be_left_out_or_be_a_text_that_holds_an_object() -> None:
    assert hermes(written('{"name": "look"}')).tool_calls == (ToolCall("look", {}, "call_0"),)
    quoted = written('{"name": "go", "arguments": "{\\"to\\": 1}"}')
    assert hermes(quoted).tool_calls == (ToolCall("go", {"to": 1}, "call_0"),)


@pytest.mark.parametrize(
    ("payload", "call"),
    [
        ("{name: go}", ToolCall("", "{name: go}", "call_0")),
        ("", ToolCall("", "", "call_0")),
        ("[1]", ToolCall("", "[1]", "call_0")),
        ('{"tool": "go"}', ToolCall("", '{"tool": "go"}', "call_0")),
        ('{"name": 3}', ToolCall("", '{"name": 3}', "call_0")),
        ('{"name": "go", "arguments": [1, 2]}', ToolCall("go", "[1, 2]", "call_0")),
        ('{"name": "go", "arguments": "desk"}', ToolCall("go", "desk", "call_0")),
        ('{"name": "go", "arguments": null}', ToolCall("go", "null", "call_0")),
        ('{"name": "go", "arguments": {"x": NaN}}', ToolCall("", '{"name": "go", "arguments": {"x": NaN}}', "call_0")),
        ("[" * 5000, ToolCall("", "[" * 5000, "call_0")),
        ("9" * 5000, ToolCall("", "9" * 5000, "call_0")),
    ],
)
def test_a_call_that_cannot_be_read_is_kept_with_what_was_written(payload: str, call: ToolCall) -> None:
    assert hermes(written(payload)).tool_calls == (call,)


def test_calls_that_are_only_thought_of_are_none() -> None:
    thought = f"<think>I could write {written('{}')}.</think>"
    call = '{"name": "look", "arguments": {}}'
    message = hermes(f"{thought}I look. {written(call)}")
    assert message == Message("assistant", f"{thought}I look.", (ToolCall("look", {}, "call_0"),))
    assert hermes(f"{written(call)} <think>and then {written('{}')}").tool_calls == (ToolCall("look", {}, "call_0"),)
    begun_in_the_prompt = hermes(f"perhaps {written('{}')}</think>Done.")
    assert begun_in_the_prompt.tool_calls == ()


@given(st.text())
def test_no_text_fails_and_every_opening_tag_outside_thought_becomes_a_call(text: str) -> None:
    assert hermes(text).role == "assistant"
    assert len(hermes(f"<tool_call>{text}".replace("think>", "")).tool_calls) >= 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(min_size=1), st.dictionaries(st.text(max_size=5), json_values, max_size=4))
def test_what_is_written_as_json_is_read_as_it_was_meant(name: str, arguments: dict[str, object]) -> None:
    payload = json.dumps({"name": name, "arguments": arguments}).replace("<", "\\u003c")
    assert hermes(written(payload)).tool_calls == (ToolCall(name, arguments, "call_0"),)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("<think>hm</think><action> go to desk 1 </action>", "go to desk 1"),
        ("<action>a</action><action>b</action>", "a"),
        ("<action>a\nb</action>", "a\nb"),
        ("<action></action>", ""),
        ("<action>a", None),
        ("go to desk 1", None),
    ],
)
def test_the_first_closed_action_tag_holds_the_action(text: str, action: str | None) -> None:
    assert action_tag(text) == action


def test_the_table_names_every_parser() -> None:
    assert dict(PARSERS) == {"hermes": hermes, "plain": plain}
