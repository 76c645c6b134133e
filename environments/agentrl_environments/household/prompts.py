"""What the agent is told besides the game's own sentences."""

from collections.abc import Sequence
from typing import NamedTuple

TOOLS_SYSTEM_PROMPT = (
    "You are in a room of a household and have a task to do there. Act by calling tools, one call at a time, and read "
    "the answer before the next. You can carry one object at a time, and have to be at a receptacle to use it or what "
    "is in it."
)
TOOLS_HINT = "Nothing was done. Call one of the tools to act."
TEXT_HINT = "Nothing was done. Write one command between <action> and </action>."
_TEXT_RULES = (
    "Think about what to do next between <think> and </think>. Then write exactly one command between <action> and "
    "</action>."
)


class Exchange(NamedTuple):
    """An observation, and the action that was taken on it."""

    observation: str
    action: str


def first_prompt(intro: str, commands: Sequence[str]) -> str:
    """The opening message of an episode that is played by commands as text."""
    parts = ("You are in a household and act there through short commands.", next_prompt(intro, commands), _TEXT_RULES)
    return "\n\n".join(parts)


def next_prompt(observation: str, commands: Sequence[str]) -> str:
    """An observation with the commands that can be given now; there are none where they are not to be listed."""
    return f"{observation}\n\n{_listing(commands)}" if commands else observation


def window_prompt(task: str, past: Sequence[Exchange], num_past: int, observation: str, commands: Sequence[str]) -> str:
    """One message that stands for the whole episode so far: the task, the last exchanges, and what is seen now.

    Args:
        task: The goal in words.
        past: The last exchanges, oldest first.
        num_past: How many exchanges there have been in all.
        observation: What is seen now.
        commands: What can be done now.
    """
    first = num_past - len(past) + 1
    lines = [
        f"Turn {number}: you saw: {exchange.observation}\nTurn {number}: you did: {exchange.action}"
        for number, exchange in enumerate(past, start=first)
    ]
    parts = [
        f"You are in a household and act there through short commands. Your task is to: {task}",
        f"You have taken {num_past} turns; these are the last {len(past)}.",
        "\n".join(lines),
        f"This is turn {num_past + 1}. You see: {observation}",
        _listing(commands),
        _TEXT_RULES,
    ]
    return "\n\n".join(part for part in parts if part)


def _listing(commands: Sequence[str]) -> str:
    quoted = "\n".join(f"'{command}'" for command in commands)
    return f"You can do one of these now:\n{quoted}" if commands else ""
