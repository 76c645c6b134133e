"""The modules beside the planner: executor, verifier, generator. Scripts, a model behind a server, or functions.

None of them is trained. Each sees the task and the memory, and gives the same answer to the same, so that the planner's
world is a Markov decision process.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from agentrl.acting.agent import ChatModel
from agentrl.acting.engine.openai import OpenAIEngine
from agentrl.acting.token_model import POLICY
from agentrl.acting.tool import AnyTool
from agentrl.errors import ConfigError
from agentrl.messages import ToolCall, parse_arguments
from agentrl_environments.planner.chat import CHAT
from agentrl_environments.planner.memory import Situation
from agentrl_environments.planner.plans import Plan

SCRIPTED = "scripted"
_SERVER, _RESOURCE = "openai:", "resource:"
_DEFAULT_URL = "http://127.0.0.1:8000/v1"

Executor: TypeAlias = Callable[[Situation, Plan, AnyTool], Awaitable[ToolCall | None]]  # None: it wrote no call
Verifier: TypeAlias = Callable[[Situation], Awaitable[bool]]  # whether the memory is enough to answer
Generator: TypeAlias = Callable[[Situation], Awaitable[str]]  # the final answer
Module: TypeAlias = str | ChatModel | Callable[..., Awaitable[Any]]  # how a user names one


@dataclass(frozen=True, slots=True, kw_only=True)
class Modules:
    """The three modules, ready to be called."""

    executor: Executor
    verifier: Verifier
    generator: Generator


async def write_inputs(situation: Situation, plan: Plan, tool: AnyTool) -> ToolCall:
    """The scripted executor: the sub-goal is the tool's inputs in their order, between commas, or a JSON object."""
    written = parse_arguments(plan.sub_goal) if plan.sub_goal.startswith("{") else plan.sub_goal
    if isinstance(written, dict):
        return ToolCall(tool.name, written, "call_0")
    names = list(tool.schema.parameters.get("properties", {}))
    inputs = [entry.strip() for entry in written.split(",", max(0, len(names) - 1))]
    arguments = {name: entry for name, entry in zip(names, inputs, strict=False) if entry}
    return ToolCall(tool.name, arguments, "call_0")


async def is_answered(situation: Situation) -> bool:
    """The scripted verifier: the last result is of the form that is asked for. It cannot tell whether it is right.

    Raises:
        ConfigError: The task does not say which tool gives that form.
    """
    tool = situation.task.data.get("answered_by")
    if not tool:
        raise ConfigError(
            f"The scripted verifier needs to know which tool gives the answer to the task {situation.task.id!r}: say "
            f"it in its data, under 'answered_by', or give another verifier."
        )
    last = situation.memory[-1]
    return last.succeeded and last.tool == tool


async def last_result(situation: Situation) -> str:
    """The scripted generator: the last result that a tool gave; nothing where none did."""
    return next((step.result for step in reversed(situation.memory) if step.succeeded), "")


_SCRIPTS: Mapping[str, Callable[..., Awaitable[Any]]] = MappingProxyType(
    {"executor": write_inputs, "verifier": is_answered, "generator": last_result}
)


def check_module(role: str, module: Module) -> None:
    """Raise unless a module can be what the user named.

    Raises:
        ConfigError: The name says nothing.
    """
    if not isinstance(module, str) or module in (SCRIPTED, POLICY):
        return
    prefix, separator, rest = module.partition(":")
    if not rest or prefix + separator not in (_SERVER, _RESOURCE):
        raise ConfigError(
            f"planner was given {role}={module!r}. It may be '{SCRIPTED}', '{POLICY}' (the model that is trained), "
            f"'{_SERVER}MODEL' or '{_SERVER}MODEL@URL' (a server), '{_RESOURCE}NAME', a ChatModel, or a function."
        )


def resolve(chosen: Mapping[str, Module], resources: Mapping[str, Any]) -> Modules:
    """The modules that a user named, by role.

    Args:
        chosen: For each role what the user gave.
        resources: What is open: servers under the names they were given by, the policy, the user's own.

    Raises:
        ConfigError: One is not open.
    """
    return Modules(**{role: _resolve(role, module, resources) for role, module in chosen.items()})


def _resolve(role: str, module: Module, resources: Mapping[str, Any]) -> Callable[..., Awaitable[Any]]:
    if module == SCRIPTED:
        return _SCRIPTS[role]
    if isinstance(module, str):
        name = module.removeprefix(_RESOURCE)
        if name not in resources:
            raise ConfigError(
                f"planner: {role}={module!r} needs a ChatModel among the open resources, under {name!r}; there "
                f"{'are ' + ', '.join(resources) if resources else 'are none'}."
            )
        module = cast(Module, resources[name])
    return module if callable(module) else partial(CHAT[role], cast(ChatModel, module))


@asynccontextmanager
async def open_servers(modules: Iterable[Module]) -> AsyncGenerator[Mapping[str, Any], None]:
    """The servers among the modules, each opened once, under the names they were given by."""
    names = sorted({module for module in modules if isinstance(module, str) and module.startswith(_SERVER)})
    async with AsyncExitStack() as stack:
        opened: dict[str, Any] = {}
        for name in names:
            model, _, url = name.removeprefix(_SERVER).partition("@")
            # At temperature 0, so that the same plan is answered alike. A server that refuses that: give an engine.
            engine = OpenAIEngine(url or _DEFAULT_URL, model, extra={"temperature": 0.0})
            stack.push_async_callback(engine.close)
            opened[name] = engine
        yield opened
