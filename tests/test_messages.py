import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.messages import (
    MAX_JSON_DEPTH,
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolSchema,
    as_messages,
    encodable,
    parse_arguments,
    parse_json,
)

IMAGE = ImagePart(b"\x89PNG\x00\xff", "image/png")
CONVERSATION = (
    Message("system", "Be brief."),
    Message("user", (TextPart("What is "), TextPart("this?"), IMAGE)),
    Message(
        "assistant", "I look.", (ToolCall("look", {"at": ["x", 1]}, "call_0"), ToolCall("look", "{broken", "call_1"))
    ),
    Message("tool", "a cat", tool_call_id="call_0", name="look"),
)


@pytest.mark.parametrize("message", CONVERSATION)
def test_a_message_survives_the_round_trip_through_a_servers_format(message: Message) -> None:
    assert Message.from_openai(json.loads(json.dumps(message.to_openai()))) == message


def test_the_servers_format_is_openais() -> None:
    assert CONVERSATION[2].to_openai() == {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [
            {"id": "call_0", "type": "function", "function": {"name": "look", "arguments": '{"at": ["x", 1]}'}},
            {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{broken"}},
        ],
    }
    assert Message("user", (IMAGE,)).to_openai() == {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORwD/"}}],
    }
    schema = ToolSchema("look", "Look.", {"type": "object", "properties": {}})
    assert schema.to_openai() == {
        "type": "function",
        "function": {"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {}}},
    }


def test_what_a_server_leaves_out_or_gives_as_null_is_empty() -> None:
    answer = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "look", "arguments": None}}]}
    assert Message.from_openai(answer) == Message("assistant", "", (ToolCall("look", {}),))
    assert Message.from_openai({"role": "assistant"}) == Message("assistant")


def test_text_and_images_of_a_message() -> None:
    assert CONVERSATION[1].text == "What is this?"
    assert CONVERSATION[1].images == (IMAGE,)
    assert CONVERSATION[0].text == "Be brief."
    assert CONVERSATION[0].images == ()


def test_an_image_that_is_not_in_the_message_is_refused() -> None:
    content = [{"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}]
    with pytest.raises(ConfigError, match=r"An image must be a base64 data URL; got 'https://example.org/cat.png'"):
        Message.from_openai({"role": "user", "content": content})


def test_an_observation_may_be_a_text_a_message_or_several() -> None:
    assert as_messages("hello") == (Message("user", "hello"),)
    assert as_messages(CONVERSATION[3]) == (CONVERSATION[3],)
    assert as_messages(list(CONVERSATION)) == CONVERSATION
    assert as_messages(()) == ()


@pytest.mark.parametrize("text", ['{"a": 1', "[1]", "3", '"a"', "null", "", "{'a': 1}"])
def test_arguments_that_are_no_json_object_stay_the_text_that_they_are(text: str) -> None:
    assert parse_arguments(text) == text


def test_arguments_are_read() -> None:
    assert parse_arguments(' {"a": [1.5, null, true], "b": {"c": "\\u00e9 \\ud83d\\ude00"}} ') == {
        "a": [1.5, None, True],
        "b": {"c": "\u00e9 \U0001f600"},
    }


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[-Infinity]",
        "1e999",
        "9" * 5000,
        '"\\ud800"',
        "[" * 100_000,
        "[" * 65 + "]" * 65,
        '{"a":' * 65 + "1" + "}" * 65,
    ],
)
def test_json_that_could_not_be_stored_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)
    assert parse_arguments(text) == text


def test_json_may_be_as_deep_as_the_limit_and_brackets_in_strings_are_text() -> None:
    deep = "[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH
    assert json.dumps(parse_json(deep)) == deep
    brackets = {"a": '[{"\\' * 200}
    assert parse_json(json.dumps(brackets)) == brackets
    assert parse_json("[" + ",".join(["[]"] * 100) + "]") == [[]] * 100


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_an_encodable_text_can_be_encoded_and_is_otherwise_the_same(text: str) -> None:
    cleaned = encodable(text)
    cleaned.encode()
    if text == text.encode(errors="ignore").decode():
        assert cleaned == text


def test_half_of_a_surrogate_pair_is_replaced_and_a_split_pair_is_joined() -> None:
    assert encodable("a\ud800b\udc00") == "a\ufffdb\ufffd"
    assert encodable("\ud83d\ude00") == "\U0001f600"
    assert Message.from_openai({"role": "user", "content": "\udfff"}) == Message("user", "\ufffd")
