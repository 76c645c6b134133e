"""Plans: what the planner says in one step, and how its text is read. The tool, and what it has to find out."""

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from agentrl.acting.tool import AnyTool
from agentrl.messages import Message

_CONTEXT, _SUB_GOAL, _TOOL = "Context:", "Sub-Goal:", "Tool Name:"
_LABELS = frozenset({"justification", "context", "sub-goal", "tool_name"})  # canonical
_LIST_MARK = re.compile(r"\s(?:\d{1,2}\.|[-*])\s*$")  # of the list item that the next label stands in


class Plan(NamedTuple):
    """One step as the planner wants it: which tool, what it has to find out, and what it has to know for that."""

    tool: str  # as it was written
    sub_goal: str
    context: str = ""


def read_plan(message: Message) -> Plan | None:
    """The plan in a message; None where there is none.

    Understood are the three lines `Context: ...`, `Sub-Goal: ...`, `Tool Name: ...` at the end of a text, a last line
    `tool: sub-goal`, and a tool call, whose arguments are then the sub-goal.
    """
    if message.tool_calls:
        call = message.tool_calls[0]
        written = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
        return Plan(call.name, written) if call.name else None
    said = message.text.rpartition("</think>")[2].replace("**", "").strip()
    before, is_labelled, tool = said.rpartition(_TOOL)
    if is_labelled:
        return _read_labelled(before, tool)
    tool, separator, sub_goal = said.rpartition("\n")[2].partition(":")
    if not separator or not tool.strip() or canonical(tool) in _LABELS:
        return None
    return Plan(tool.strip(), sub_goal.strip())


def labelled(plan: Plan) -> str:
    """The plan in three lines."""
    return f"{_CONTEXT} {plan.context}\n{_SUB_GOAL} {plan.sub_goal}\n{_TOOL} {plan.tool}"


def compact(plan: Plan) -> str:
    """The plan in one short line."""
    return f"{plan.tool}: {plan.sub_goal}"


def find_tool(name: str, tools: Mapping[str, AnyTool]) -> AnyTool | None:
    """The tool that is meant: case does not matter, nor blanks for underscores. None where there is none."""
    wanted = canonical(name)
    return next((tool for known, tool in tools.items() if canonical(known) == wanted), None)


def canonical(name: str) -> str:
    """What two spellings of a tool's name have in common."""
    return re.sub(r"[ _]+", "_", name.strip(" `'\"._").lower())


def _read_labelled(before: str, tool: str) -> Plan | None:
    rest, has_sub_goal, sub_goal = before.rpartition(_SUB_GOAL)
    if not has_sub_goal:
        return None
    _, has_context, context = rest.rpartition(_CONTEXT)
    name = tool.strip().partition("\n")[0].strip(" `")
    return Plan(name, _trimmed(sub_goal), _trimmed(context) if has_context else "") if name else None


def _trimmed(text: str) -> str:
    return _LIST_MARK.sub("", text).strip()
