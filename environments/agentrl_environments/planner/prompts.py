"""What the planner is told: one prompt for each of its decisions, made anew from the query and the memory."""

from collections.abc import Mapping

from agentrl.acting.tool import AnyTool
from agentrl_environments.planner.memory import Memory, described, noted

INPUTS_RULE = "the tool's inputs in their order, separated by commas, and nothing else"
WORDS_RULE = "what the tool shall find out or work out, with every value that it needs for that"
HINT = "No tool was named, so nothing was done."


def full_prompt(question: str, memory: Memory, tools: Mapping[str, AnyTool], *, max_steps: int, rule: str) -> str:
    """The prompt of one decision.

    Args:
        question: What is to be answered.
        memory: What has been done so far.
        tools: Those that can be named.
        max_steps: How many decisions there are in all.
        rule: What a sub-goal has to be, for the executor to carry it out.
    """
    parts = (
        "You plan how a question is answered with tools. In each step you name one tool and what it has to do; that is "
        "carried out for you, and what came of it is kept below. The answer is written for you once enough is known.",
        f"Question: {question}",
        "Tools:\n" + "\n".join(_described(tool) for tool in tools.values()),
        described(memory) or "Nothing has been done so far.",
        f"This is step {len(memory) + 1} of at most {max_steps}. Think about what is still missing. Then end with "
        f"these three lines, and write nothing after them:\n"
        f"Context: <what is known already and matters for this step>\nSub-Goal: <{rule}>\n"
        f"Tool Name: <one of {', '.join(tools)}>",
    )
    return "\n\n".join(parts)


def short_prompt(question: str, memory: Memory) -> str:
    """The prompt of one decision for a small model, which knows its tools from what it was warmed up on."""
    return "\n".join(part for part in (f"Goal: {question}", noted(memory)) if part)


def _described(tool: AnyTool) -> str:
    schema = tool.schema
    entries = schema.parameters.get("properties", {})
    told = {name: entry.get("description", entry.get("type", "anything")) for name, entry in entries.items()}
    inputs = "; ".join(f"{name}: {text.rstrip('.')}" for name, text in told.items())
    return f"- {schema.name}({', '.join(entries)}): {schema.description}" + (f" {inputs}." if inputs else "")
