"""How the text that a model wrote becomes a message: one pure function per family, in one table.

A call that cannot be read is kept as a call with its raw text, so that it is answered like any other bad call and
never lost in silence.
"""

import json
import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, cast

from agentrl.messages import Message, ToolCall, parse_arguments, parse_json

_TOOL_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|$)", re.DOTALL)
_ACTION = re.compile(r"<action>(.*?)</action>", re.DOTALL)


def plain(text: str) -> Message:
    """The text as it is."""
    return Message("assistant", text)


def hermes(text: str) -> Message:
    """Calls in Hermes' and Qwen's form: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, any number."""
    thought, closing, rest = text.rpartition("</think>")
    said, opening, unfinished = rest.partition("<think>")  # calls that are only thought of are none
    calls = tuple(_read_call(match.group(1).strip(), index) for index, match in enumerate(_TOOL_CALL.finditer(said)))
    content = thought + closing + _TOOL_CALL.sub("", said) + opening + unfinished
    return Message("assistant", content.strip(), calls)


def action_tag(text: str) -> str | None:
    """The text between the first `<action>` and its `</action>`, stripped; None where there is no such pair."""
    match = _ACTION.search(text)
    return match.group(1).strip() if match else None


def _read_call(payload: str, index: int) -> ToolCall:
    call_id = f"call_{index}"
    try:
        entry = parse_json(payload)
    except ValueError:
        return ToolCall("", payload, call_id)
    fields = cast(dict[str, Any], entry) if isinstance(entry, dict) else {}
    name, arguments = fields.get("name"), fields.get("arguments", {})
    if not isinstance(name, str):
        return ToolCall("", payload, call_id)
    if isinstance(arguments, str):  # the form of OpenAI's interface
        return ToolCall(name, parse_arguments(arguments), call_id)
    return ToolCall(
        name, cast(dict[str, Any], arguments) if isinstance(arguments, dict) else json.dumps(arguments), call_id
    )


PARSERS: MappingProxyType[str, Callable[[str], Message]] = MappingProxyType({"hermes": hermes, "plain": plain})
