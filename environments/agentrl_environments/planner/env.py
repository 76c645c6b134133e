"""The planner's environment: each of its turns is a prompt of its own, made from the query and the memory."""

import json
from collections.abc import Mapping
from inspect import isawaitable
from time import perf_counter
from typing import NamedTuple

from agentrl.acting.environment import Environment, Step
from agentrl.acting.rewards import reward
from agentrl.acting.tool import AnyTool
from agentrl.acting.tool_caller import call_tools
from agentrl.messages import Content, Message, TextPart, ToolCall, ToolSchema
from agentrl.trajectory import CallStatus, Task, ToolResult
from agentrl_environments.planner import prompts
from agentrl_environments.planner.difficulty import Difficulty
from agentrl_environments.planner.grading import Grade
from agentrl_environments.planner.memory import ActionStep, Memory, Situation, describe_step, note_step
from agentrl_environments.planner.modules import SCRIPTED, Module, resolve
from agentrl_environments.planner.plans import Plan, compact, find_tool, labelled, read_plan
from agentrl_environments.planner.tasks import check_task

NO_COMMAND = "none"


class PlannerState(NamedTuple):
    """The state of an episode."""

    task: Task
    memory: Memory
    answer: str | None


class PlannerEnvironment(Environment):
    """Planner, executor, verifier and generator over one memory; the agent is the planner.

    A turn: the planner names a tool and a sub-goal, the executor writes the call and it is made, memory keeps what came
    of it, and the verifier says whether that is enough. If so, or when steps or time have run out, the generator writes
    the answer and the episode ends; if not, the next turn opens with a new prompt in place of the conversation.

    Args:
        difficulty: What ends the loop, and how it is told.
        modules: By role what the user named.
        tools: Those that plans may name.
        grade: What an answer is worth.
    """

    task: Task
    memory: Memory

    def __init__(
        self, difficulty: Difficulty, modules: Mapping[str, Module], tools: Mapping[str, AnyTool], grade: Grade
    ) -> None:
        self.difficulty = difficulty
        self.answer: str | None = None  # the generator's, once it has spoken
        self._chosen = modules
        self._tools = tools
        self._grade = grade
        self._rule = prompts.INPUTS_RULE if modules["executor"] == SCRIPTED else prompts.WORDS_RULE

    @property
    def tools(self) -> Mapping[str, AnyTool]:
        """The tools that plans may name; the executor calls them."""
        return self._tools

    def tool_schemas(self) -> tuple[ToolSchema, ...]:
        """None: the planner calls no tool itself, and reads of them in its prompt."""
        return ()

    async def reset(self, task: Task) -> str:
        """The first prompt: the query, and an empty memory."""
        check_task(task)
        self.task, self.memory, self.answer = task, (), None
        self._modules = resolve(self._chosen, self.context.resources)
        self._began = perf_counter()
        return self.prompt()

    async def step(self, message: Message) -> Step:
        """Carry out the message's plan, and end the loop or go on with a new prompt."""
        plan = read_plan(message)
        done, results = (_UNPLANNED, ()) if plan is None else await self._carry_out(plan)
        self.memory = (*self.memory, done)
        told = (note_step if self.difficulty.is_compact else describe_step)(len(self.memory), done)
        if not await self._is_over():
            context = (Message("user", self.prompt()),)
            return Step(told, results=results, valid=plan is not None, context=context)
        answer = await self._final_answer()
        return Step(f"{told}\nAnswer: {answer}", terminated=True, results=results, valid=plan is not None)

    @reward
    async def correct(self) -> float:
        """What the final answer is worth. Where a limit from outside ended the loop, it is written now."""
        worth = self._grade(await self._final_answer(), self.task)
        return await worth if isawaitable(worth) else worth

    def prompt(self) -> str:
        """What the planner is told now."""
        question = str(self.task.data["question"])
        if self.difficulty.is_compact:
            return prompts.short_prompt(question, self.memory)
        return prompts.full_prompt(
            question, self.memory, self.tools, max_steps=self.difficulty.max_steps, rule=self._rule
        )

    def message(self, plan: Plan) -> Message:
        """The plan as an assistant says it here."""
        return Message("assistant", compact(plan) if self.difficulty.is_compact else labelled(plan))

    def state_key(self) -> tuple[str, Memory]:
        """The question and the memory: all that the planner is told."""
        return str(self.task.data["question"]), self.memory

    def snapshot(self) -> PlannerState:
        """The state of the episode; the clock is no part of it."""
        return PlannerState(self.task, self.memory, self.answer)

    def restore(self, state: PlannerState) -> None:
        """Go on from a state, after a reset."""
        self.task, self.memory, self.answer = state

    @property
    def _situation(self) -> Situation:
        return Situation(self.task, self.memory)

    async def _carry_out(self, plan: Plan) -> tuple[ActionStep, tuple[ToolResult, ...]]:
        """What became of a plan; a tool that is not there, or a call that cannot be made, is answered in words."""
        tool = find_tool(plan.tool, self.tools)
        call = ToolCall(plan.tool, {}) if tool is None else await self._modules.executor(self._situation, plan, tool)
        if call is None:
            nothing = f"Nothing was done: no call of {plan.tool} could be made of the sub-goal."
            return ActionStep(plan.tool, plan.sub_goal, NO_COMMAND, nothing, False), ()
        results = await call_tools((call,), self.tools, self.context)
        command = NO_COMMAND if tool is None else _in_words(call)
        succeeded = results[0].status is CallStatus.OK
        return ActionStep(call.name, plan.sub_goal, command, _text(results[0].content), succeeded), results

    async def _is_over(self) -> bool:
        """Whether the loop ends: the verifier is asked where nothing else ends it."""
        limits = self.difficulty
        if len(self.memory) >= limits.max_steps or perf_counter() - self._began >= limits.max_seconds:
            return True
        return await self._modules.verifier(self._situation)

    async def _final_answer(self) -> str:
        if self.answer is None:
            self.answer = await self._modules.generator(self._situation)
        return self.answer


_UNPLANNED = ActionStep("none", "none", NO_COMMAND, prompts.HINT, False)


def _in_words(call: ToolCall) -> str:
    if isinstance(call.arguments, str):
        return f"{call.name}({call.arguments})"
    return f"{call.name}({', '.join(f'{name}={json.dumps(value)}' for name, value in call.arguments.items())})"


def _text(content: Content) -> str:
    """The content in words: the memory is a text."""
    if isinstance(content, str):
        return content
    return "".join(part.text if isinstance(part, TextPart) else "(an image)" for part in content)
