"""The two forms of an action, a command in ALFWorld's words and a tool call, and how the one becomes the other."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from agentrl.messages import Message, ToolCall
from agentrl_environments.household.house import Kind

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "go_to": "go to {receptacle}",
        "open": "open {receptacle}",
        "close": "close {receptacle}",
        "take": "take {object} from {receptacle}",
        "move": "move {object} to {receptacle}",
        "use": "use {object}",
        "clean": "clean {object} with {receptacle}",
        "heat": "heat {object} with {receptacle}",
        "cool": "cool {object} with {receptacle}",
        "slice": "slice {object} with {knife}",
        "examine": "examine {name}",
        "inventory": "inventory",
        "look": "look",
    }
)  # by tool
_PATTERNS = {
    form.partition(" ")[0]: (tool, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>.+)", form)))
    for tool, form in COMMANDS.items()
}  # by the command's first word
_PUT = re.compile(r"put (?P<object>.+) (?:in/on|into|onto|in|on) (?P<receptacle>.+)")
_TOOLS_OF_KIND = {Kind.LIGHT: "use", Kind.CLEAN: "clean", Kind.HEAT: "heat", Kind.COOL: "cool"}


class Parsed(NamedTuple):
    """A command, taken apart."""

    tool: str
    arguments: dict[str, str]


def tools_for(kinds: tuple[Kind, ...]) -> tuple[str, ...]:
    """The names of the tools without which tasks of these kinds cannot be solved."""
    needed = {"go_to", "open", "take", "move"} | {_TOOLS_OF_KIND[kind] for kind in kinds if kind in _TOOLS_OF_KIND}
    return tuple(tool for tool in COMMANDS if tool in needed)


def parse(command: str) -> Parsed | None:
    """The tool that carries out the command, and its arguments; None where there is none, as for `help`."""
    tool, pattern = _PATTERNS.get(command.partition(" ")[0], ("", None))
    match = pattern.fullmatch(command) if pattern else None
    return Parsed(tool, match.groupdict()) if match else None


def normalised(command: str) -> str:
    """The command as the engine takes it: lower case, single blanks, no quotes, and `move` for the older `put`."""
    words = " ".join(command.lower().split()).strip("'\"`.")
    put = _PUT.fullmatch(words)
    return f"move {put['object']} to {put['receptacle']}" if put else words


def calling(command: str, *, short: bool) -> Message:
    """The command as an assistant's tool call.

    Args:
        command: One that a tool can carry out.
        short: Leave out the receptacle where the tool finds it by itself.
    """
    parsed = parse(command)
    assert parsed is not None, f"no tool carries out {command!r}"
    tool, arguments = parsed
    if short and "object" in arguments:
        arguments.pop("receptacle", None)
    return Message("assistant", "", (ToolCall(tool, arguments, "call_0"),))


def saying(command: str) -> Message:
    """The command as an assistant's text."""
    return Message("assistant", f"<think>Next I {command}.</think><action>{command}</action>")
