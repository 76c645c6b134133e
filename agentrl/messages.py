"""What the agent and the environment say to each other: messages of text and images, tool calls, tool schemas.

The shapes are OpenAI's, so that a message can be sent to any compatible server and stored as it is.
"""

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from agentrl.errors import ConfigError

MAX_JSON_DEPTH = 64  # of what a model writes; readers of JSON give up at some 200

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture, as encoded bytes."""

    data: bytes
    media_type: str = "image/png"

    @property
    def url(self) -> str:
        """The picture as a data URL."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


Part: TypeAlias = TextPart | ImagePart
Content: TypeAlias = str | tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that the model wrote."""

    name: str
    arguments: dict[str, Any] | str  # a string where the model did not write a JSON object: kept, to be answered
    id: str = ""


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """What the model is told about a tool."""

    name: str
    description: str
    parameters: Mapping[str, Any]  # JSON Schema of the arguments

    def to_openai(self) -> dict[str, Any]:
        """The entry of the `tools` list of a chat completion request."""
        function = {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: Content = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None  # on role "tool": which call is answered
    name: str | None = None  # on role "tool": the tool's name

    @property
    def text(self) -> str:
        """The text parts, joined; images are left out."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """The image parts, in order."""
        if isinstance(self.content, str):
            return ()
        return tuple(part for part in self.content if isinstance(part, ImagePart))

    def to_openai(self) -> dict[str, Any]:
        """The message as an OpenAI-compatible server takes it."""
        entry: dict[str, Any] = {"role": self.role, "content": _content_to_openai(self.content)}
        if self.tool_calls:
            entry["tool_calls"] = [_call_to_openai(call) for call in self.tool_calls]
        if self.tool_call_id is not None:
            entry["tool_call_id"] = self.tool_call_id
        if self.name is not None:
            entry["name"] = self.name
        return entry

    def to_template(self) -> dict[str, Any]:
        """The message as chat templates take it: as `to_openai`, but calls hold their arguments as objects."""
        entry = self.to_openai()
        if self.tool_calls:
            entry["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in self.tool_calls
            ]
        return entry

    @classmethod
    def from_openai(cls, entry: Mapping[str, Any]) -> "Message":
        """The message that a server's answer, or a stored conversation, describes."""
        calls = tuple(_call_from_openai(call) for call in entry.get("tool_calls") or ())
        content = _content_from_openai(entry.get("content"))
        return cls(entry["role"], content, calls, entry.get("tool_call_id"), entry.get("name"))


Observation: TypeAlias = str | Message | Sequence[Message]


def as_messages(observation: Observation) -> tuple[Message, ...]:
    """The observation as messages; a bare string is the user's."""
    if isinstance(observation, str):
        return (Message("user", observation),)
    if isinstance(observation, Message):
        return (observation,)
    return tuple(observation)


def _content_to_openai(content: Content) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, TextPart)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in content
    ]


def _content_from_openai(content: Any) -> Content:
    if content is None or isinstance(content, str):
        return encodable(content or "")
    return tuple(
        TextPart(encodable(part["text"])) if part["type"] == "text" else _image_from_url(part["image_url"]["url"])
        for part in content
    )


def _image_from_url(url: str) -> ImagePart:
    header, separator, payload = url.partition(";base64,")
    if not separator or not header.startswith("data:"):
        raise ConfigError(f"An image must be a base64 data URL; got {url[:60]!r}.")
    return ImagePart(base64.b64decode(payload), header.removeprefix("data:"))


def _call_to_openai(call: ToolCall) -> dict[str, Any]:
    arguments = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _call_from_openai(entry: Mapping[str, Any]) -> ToolCall:
    function = entry["function"]
    arguments = parse_arguments(function.get("arguments") or "{}")
    return ToolCall(function["name"], arguments, entry.get("id") or "")


def parse_arguments(text: str) -> dict[str, Any] | str:
    """The JSON object in `text`; the text itself where it is none, so that the call can still be answered."""
    try:
        value = parse_json(text)
    except ValueError:
        return text
    return cast(dict[str, Any], value) if isinstance(value, dict) else text


def parse_json(text: str) -> Any:
    """The JSON value in `text`, which a model may have written.

    Raises:
        ValueError: There is none, or one that could not be stored and sent on: NaN or an infinity, half a surrogate
            pair, an integer of thousands of digits, or more than MAX_JSON_DEPTH levels.
    """
    if text.count("[") + text.count("{") > MAX_JSON_DEPTH and _depth(text) > MAX_JSON_DEPTH:
        raise ValueError(f"more than {MAX_JSON_DEPTH} levels of brackets")
    value = json.loads(text, parse_constant=_finite, parse_float=_finite)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return value


def encodable(text: str) -> str:
    """The text with what UTF-8 cannot carry (half of a surrogate pair) replaced, so that it can be stored and sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _depth(text: str) -> int:
    """How deeply the brackets of `text` are nested; those in strings do not count."""
    depth = deepest = 0
    for bracket in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text, re.DOTALL):
        depth += 1 if bracket in ("[", "{") else -1 if bracket in ("]", "}") else 0
        deepest = max(deepest, depth)
    return deepest


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is not a finite number")
    return value
