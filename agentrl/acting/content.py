"""What a tool returns, as the model sees it: text or parts, of bounded length."""

from collections.abc import Sequence
from typing import Any, cast

from pydantic_core import to_json

from agentrl.messages import Content, ImagePart, Part, TextPart, encodable


def as_content(value: Any) -> Content:
    """The value as a message's content: text and images as they are, anything else as JSON.

    Raises:
        ValueError: The value cannot be written as JSON.
    """
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, TextPart | ImagePart):
        return (value,)
    if isinstance(value, list | tuple) and _are_parts(cast(Sequence[Any], value)):
        return tuple(cast(Sequence[Part], value))
    return to_json(value, inf_nan_mode="constants").decode()


def truncate(content: Content, max_characters: int) -> tuple[Content, int]:
    """The content with the middle of its texts cut down to `max_characters` in all, and how many were left out."""
    if isinstance(content, str):
        return _truncate_text(content, max_characters)
    parts: list[Part] = []
    num_left_out = 0
    for part in content:
        if isinstance(part, TextPart):
            text, num_cut = _truncate_text(part.text, max_characters)
            max_characters -= len(part.text) - num_cut
            num_left_out += num_cut
            part = TextPart(text)
        parts.append(part)
    return tuple(parts), num_left_out


def _truncate_text(text: str, max_characters: int) -> tuple[str, int]:
    num_left_out = len(text) - max_characters
    if num_left_out <= 0:
        return text, 0
    num_head = (max_characters + 1) // 2
    tail = text[len(text) - max_characters // 2 :]
    return f"{text[:num_head]}\n[... {num_left_out} characters left out ...]\n{tail}", num_left_out


def _are_parts(value: Sequence[Any]) -> bool:
    return len(value) > 0 and all(isinstance(part, TextPart | ImagePart) for part in value)
