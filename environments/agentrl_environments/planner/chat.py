"""The modules as a model plays them that answers messages: what it is asked, and how its answer is read."""

import re
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from agentrl.acting.agent import ChatModel
from agentrl.acting.parsers import hermes
from agentrl.acting.tool import AnyTool
from agentrl.errors import EngineError
from agentrl.messages import Message, ToolCall, ToolSchema, parse_arguments
from agentrl_environments.planner.memory import Situation, described
from agentrl_environments.planner.plans import Plan

_CONCLUSION = re.compile(r"conclusion\W{0,8}(stop|continue)\b", re.IGNORECASE)
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


async def ask_executor(model: ChatModel, situation: Situation, plan: Plan, tool: AnyTool) -> ToolCall | None:
    """The call that the model writes for a sub-goal; None where it writes none."""
    prompt = (
        f"A question is being answered step by step, with tools. Carry out one step: call the tool {tool.name} once, "
        f"so that it reaches the sub-goal. Take every value from what is given here.\n\n"
        f"Question: {situation.question}\nSub-goal: {plan.sub_goal}\nContext: {plan.context or 'none'}"
    )
    answer = await _ask(model, "executor", situation, prompt, tool.schema)
    calls = answer.tool_calls or hermes(answer.text).tool_calls
    if calls:
        return ToolCall(tool.name, calls[0].arguments, "call_0")
    written = _OBJECT.search(_said(answer))
    arguments = parse_arguments(written.group()) if written else ""
    return ToolCall(tool.name, arguments, "call_0") if isinstance(arguments, dict) else None


async def ask_verifier(model: ChatModel, situation: Situation) -> bool:
    """Whether the model concludes that the memory is enough to answer; without a conclusion the loop goes on."""
    prompt = (
        f"A question is being answered step by step, with tools. Judge whether the steps so far are enough to answer "
        f"it: nothing is missing, no step contradicts another, and every value belongs to what is asked.\n\n"
        f"Question: {situation.question}\n\n{described(situation.memory)}\n\n"
        f"Say in a sentence or two what is missing, if anything is. Then end with 'Conclusion: STOP' if the question "
        f"can be answered, or with 'Conclusion: CONTINUE' if more has to be done."
    )
    answer = await _ask(model, "verifier", situation, prompt)
    conclusions = _CONCLUSION.findall(_said(answer))
    return bool(conclusions) and conclusions[-1].lower() == "stop"


async def ask_generator(model: ChatModel, situation: Situation) -> str:
    """The final answer that the model gives."""
    prompt = (
        f"A question has been worked on with tools. Answer it from what they found, and from nothing else.\n\n"
        f"Question: {situation.question}\n\n{described(situation.memory) or 'No step was taken.'}\n\n"
        f"End with one line 'Answer: ...' that holds the answer alone, as short as can be, with its unit if it has one."
    )
    return _said(await _ask(model, "generator", situation, prompt))


CHAT: Mapping[str, Callable[..., Awaitable[Any]]] = MappingProxyType(
    {"executor": ask_executor, "verifier": ask_verifier, "generator": ask_generator}
)


async def _ask(model: ChatModel, role: str, situation: Situation, prompt: str, *tools: ToolSchema) -> Message:
    """The model's answer.

    Raises:
        EngineError: There is none: the memory has outgrown the model's context.
    """
    answer = await model.chat((Message("user", prompt),), tools, seed=situation.seed(role))
    if answer is None:
        raise EngineError(
            f"The {role}'s context has no room for the memory of {len(situation.memory)} steps: lower max_steps, or "
            f"the tools' max_characters, or give the {role} a longer context."
        )
    return answer


def _said(answer: Message) -> str:
    return answer.text.rpartition("</think>")[2].strip()
