"""The contract of environments, as checks that anyone can run on their own: `agentrl env check NAME`."""

import asyncio
import gc
import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from agentrl.acting.agent import Agent, ScriptedAgent
from agentrl.acting.environment import Environment
from agentrl.acting.rollout import Limits, Stage, Start, rollout
from agentrl.acting.suite import Player, Suite
from agentrl.acting.tool import AnyTool, ToolLimits
from agentrl.errors import SandboxError
from agentrl.messages import Message, ToolCall
from agentrl.trajectory import CallStatus, Outcome, Task, Trajectory

_EXPERT_SHARE = 0.9  # of the tasks that an expert must solve
_RANDOM_SHARE = 0.5  # of the tasks; a random player that solves more says that the reward is given away
_CONCURRENT = 8


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of the contract, and whether the environment keeps it."""

    name: str
    passed: bool
    detail: str  # what was seen; on failure also how to mend it


async def check_environment(suite: Suite, *, num_tasks: int = 40) -> list[Check]:
    """The verdict on every rule of the contract, the failed ones with what to do.

    Args:
        suite: What to check.
        num_tasks: How many tasks of the last split the scripts play.
    """
    async with suite.resources() as resources:
        subject = _Subject(suite, resources, num_tasks)
        checks = [_check_description(suite), _check_splits(suite)]
        if "expert" not in suite.scripts:
            hint = "add one to Suite.scripts: it proves that the reward is reachable, and gives warm-start data"
            return [*checks, Check("expert", False, f"there is no script 'expert'; {hint}")]
        return checks + [await check(subject) for check in _CHECKS]


def render_checks(checks: Sequence[Check]) -> Table:
    """The checks as a table for a rich console."""
    table = Table("", "check", "what was seen", box=None, pad_edge=False)
    for check in checks:
        table.add_row("[green]ok[/]" if check.passed else "[bold red]FAILED[/]", check.name, check.detail)
    return table


class _Subject:
    """A suite under test, with what it takes to play it."""

    def __init__(self, suite: Suite, resources: Mapping[str, Any], num_tasks: int) -> None:
        self.suite = suite
        self.resources = resources
        self.split = list(suite.splits)[-1]
        self.tasks = suite.tasks(self.split)[:num_tasks]

    async def play(
        self, task: Task, agent: Agent | None = None, suite: Suite | None = None, **limits: Any
    ) -> Trajectory:
        """One trajectory, by the expert if nobody else is named."""
        suite = suite or self.suite
        agent = agent or ScriptedAgent(suite.script("expert"))
        stage = Stage(
            suite=suite,
            agent=agent,
            limits=Limits(**{"max_turns": suite.max_turns, "max_invalid_turns": suite.max_turns, **limits}),
            resources=self.resources,
        )
        return await rollout(Start(task=task, trajectory_id=f"check-{task.id}", seed=0), stage)

    async def play_all(self, script: str) -> list[Trajectory]:
        """All tasks, a few at a time, by a script."""
        agent, places = ScriptedAgent(self.suite.script(script)), asyncio.Semaphore(_CONCURRENT)

        async def one(task: Task) -> Trajectory:
            async with places:
                return await self.play(task, agent)

        return await _together([one(task) for task in self.tasks])


def _check_description(suite: Suite) -> Check:
    if not suite.card.strip():
        return Check("MDP card", False, "Suite.card is empty: say what states, actions and rewards are")
    return Check("MDP card", True, suite.card.strip().splitlines()[0])


def _check_splits(suite: Suite) -> Check:
    seen: dict[str, str] = {}
    for split, tasks in suite.splits.items():
        for task in tasks[:200]:
            content = repr((task.seed, sorted(task.data.items(), key=repr)))
            if seen.setdefault(content, split) != split:
                return Check("disjoint splits", False, f"task {task.id} is in {seen[content]} and in {split}")
    sizes = ", ".join(f"{split} {len(tasks)}" for split, tasks in suite.splits.items())
    return Check("disjoint splits", True, sizes)


async def _check_determinism(subject: _Subject) -> Check:
    for task in subject.tasks[:_CONCURRENT]:
        first, second = [await subject.play(task) for _ in range(2)]
        if _story(first) != _story(second):
            return Check("determinism", False, f"task {task.id} played twice alike gave different trajectories")
    return Check("determinism", True, f"{min(_CONCURRENT, len(subject.tasks))} tasks played twice alike")


async def _check_isolation(subject: _Subject) -> Check:
    tasks = subject.tasks[:_CONCURRENT]
    alone = [await subject.play(task) for task in tasks]
    together = await _together([subject.play(task) for task in tasks])
    for task, one, other in zip(tasks, alone, together, strict=True):
        if _story(one) != _story(other):
            return Check("isolation", False, f"task {task.id} goes otherwise beside others: state is shared")
    return Check("isolation", True, f"{len(tasks)} concurrent episodes as when alone")


async def _check_expert(subject: _Subject) -> Check:
    played = await subject.play_all("expert")
    low, high = subject.suite.reward_range
    for trajectory in played:
        if trajectory.outcome is Outcome.INFRA_ERROR:
            return Check("expert solves", False, f"task {trajectory.task.id} failed: {trajectory.error}")
        if not low <= trajectory.total_reward <= high:
            detail = (
                f"task {trajectory.task.id} gave {trajectory.total_reward:g}, outside of reward_range {low:g}..{high:g}"
            )
            return Check("expert solves", False, detail)
    solved = sum(trajectory.success for trajectory in played)
    detail = f"{solved} of {len(played)} tasks"
    if solved < _EXPERT_SHARE * len(played):
        detail += f", fewer than {_EXPERT_SHARE:.0%}: mend the expert, or the tasks that cannot be solved"
    return Check("expert solves", solved >= _EXPERT_SHARE * len(played), detail)


async def _check_random(subject: _Subject) -> Check:
    if "random" not in subject.suite.scripts:
        return Check("random does not", True, "no script 'random' to try")
    played = await subject.play_all("random")
    solved = sum(trajectory.success for trajectory in played)
    passed = solved <= _RANDOM_SHARE * len(played)
    return Check("random does not", passed, f"{solved} of {len(played)} tasks")


async def _check_nonsense(subject: _Subject) -> Check:
    """Messages that no model should write must be answered, and must not break the machinery."""
    nonsense = (
        Message("assistant", ""),
        Message("assistant", "I do not know what to do. \x00 \ud7ff <tool_call> {"),
        Message("assistant", "", (ToolCall("", '{"name": ', "a"),)),
        Message("assistant", "", (ToolCall("no_such_tool", {}, "b"),)),
        Message("assistant", "", (ToolCall(next(iter(_tool_names(subject)), "x"), {"no_such_argument": 1}, "c"),)),
    )

    def script(environment: Environment, rng: random.Random) -> Player:
        remaining = iter(nonsense)
        return lambda messages: next(remaining, nonsense[0])

    trajectory = await subject.play(subject.tasks[0], ScriptedAgent(script))
    if trajectory.outcome is Outcome.INFRA_ERROR:
        return Check("nonsense is answered", False, f"a message of the model broke it: {trajectory.error}")
    for turn in trajectory.turns[:-1]:
        if not turn.observation:
            return Check("nonsense is answered", False, f"no observation answers {turn.message!r}")
    return Check("nonsense is answered", True, f"outcome {trajectory.outcome}, return {trajectory.total_reward:g}")


async def _check_raising_tools(subject: _Subject) -> Check:
    """A failure of the machinery must exclude the trajectory, whichever tool it hits."""

    async def fail(**arguments: Any) -> str:
        raise SandboxError("injected fault")

    for name in _tool_names(subject):
        trajectory = await subject.play(
            subject.tasks[0], _calling(subject, name), _with_tool(subject.suite, name, fail)
        )
        if trajectory.scored:
            return Check("faults are excluded", False, f"a fault in {name} gave a scored {trajectory.outcome}")
    return Check(
        "faults are excluded", True, f"injected into {', '.join(_tool_names(subject)) or 'no tool: none to call'}"
    )


async def _check_hanging_tools(subject: _Subject) -> Check:
    """A tool that never returns must end at its deadline."""

    async def hang(**arguments: Any) -> str:
        await asyncio.Event().wait()
        return "never"

    for name in _tool_names(subject):
        suite = _with_tool(subject.suite, name, hang)
        agent = _calling(subject, name)
        limits = {"tools": ToolLimits(call_seconds=0.02), "max_turns": 1, "turn_seconds": 5.0}
        trajectory = await subject.play(subject.tasks[0], agent, suite, **limits)
        statuses = [result.status for turn in trajectory.turns for result in turn.results]
        if statuses != [CallStatus.TIMEOUT]:
            return Check("hanging tools time out", False, f"{name}: {statuses or trajectory.error}")
    return Check("hanging tools time out", True, f"each of {len(_tool_names(subject))} tools")


async def _check_snapshots(subject: _Subject) -> Check:
    """Where snapshots are offered, a restored environment must go on as the original does."""
    is_same_state: list[bool] = []

    def script(environment: Environment, rng: random.Random) -> Player:
        player = subject.suite.script("expert")(environment, rng)

        def act(messages: Sequence[Message]) -> Message:
            state = environment.snapshot()
            if state is not None:
                key = environment.state_key()
                environment.restore(state)
                is_same_state.append(key == environment.state_key())
            return player(messages)

        return act

    plain = await subject.play(subject.tasks[0])
    restored = await subject.play(subject.tasks[0], ScriptedAgent(script))
    if not is_same_state:
        return Check("snapshots", True, "not offered")
    same = all(is_same_state) and _story(plain) == _story(restored)
    return Check("snapshots", same, "restored at every turn" if same else "a restored state goes on otherwise")


async def _check_teardown(subject: _Subject) -> Check:
    """Nothing may be left open: tasks, file descriptors, child processes."""
    await _together([subject.play(task) for task in subject.tasks[:_CONCURRENT]])
    before = await _open_things()
    await _together([subject.play(task) for task in subject.tasks[:_CONCURRENT]])
    after = await _open_things()
    left = {kind: after[kind] - before[kind] for kind in after if after[kind] > before[kind]}
    return Check("teardown", not left, f"left open: {left}" if left else "nothing is left open")


async def _open_things() -> dict[str, int]:
    await asyncio.sleep(0)
    gc.collect()
    return {"asyncio tasks": len(asyncio.all_tasks()), **_open_in_the_system()}


def _open_in_the_system() -> dict[str, int]:
    """File descriptors and child processes, where the system shows them."""
    descriptors, children = Path("/proc/self/fd"), Path(f"/proc/self/task/{os.getpid()}/children")
    things: dict[str, int] = {}
    if descriptors.is_dir():
        things["file descriptors"] = len(list(descriptors.iterdir()))
    if children.is_file():
        things["child processes"] = len(children.read_text().split())
    return things


def _tool_names(subject: _Subject) -> list[str]:
    return list(subject.suite.make().tools)


def _calling(subject: _Subject, name: str) -> ScriptedAgent:
    """An agent that calls one tool, with arguments of the right kinds."""
    schema = subject.suite.make().tools[name].schema.parameters
    arguments = {key: _example(kind) for key, kind in schema.get("properties", {}).items()}
    message = Message("assistant", "", (ToolCall(name, arguments, "x"),))
    return ScriptedAgent(lambda environment, rng: lambda messages: message)


def _example(schema: Mapping[str, Any]) -> Any:
    """A value that a JSON schema allows, for the simple kinds that tools take."""
    if "enum" in schema:
        return schema["enum"][0]
    if "default" in schema:
        return schema["default"]
    examples = {"integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}, "null": None}
    return examples.get(schema.get("type", "string"), "x")


def _with_tool(suite: Suite, name: str, function: Callable[..., Awaitable[Any]]) -> Suite:
    """The suite with one tool's function replaced."""

    def make() -> Environment:
        environment = suite.make()
        tools: dict[str, AnyTool] = dict(environment.tools)
        tools[name] = replace(tools[name], function=function, is_async=True)
        kind = type(environment)
        environment.__class__ = type(kind.__name__, (kind,), {"tools": property(lambda self: tools)})
        return environment

    return replace(suite, make=make)


def _story(trajectory: Trajectory) -> object:
    """What happened, without clock times."""
    turns = [(turn.message, turn.observation, turn.reward, turn.state_key, turn.valid) for turn in trajectory.turns]
    return trajectory.prompt, turns, trajectory.outcome, dict(trajectory.rewards)


async def _together(work: Sequence[Awaitable[Trajectory]]) -> list[Trajectory]:
    async def one(awaitable: Awaitable[Trajectory]) -> Trajectory:
        return await awaitable

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(awaitable)) for awaitable in work]
    return [task.result() for task in tasks]


_CHECKS = (
    _check_determinism,
    _check_isolation,
    _check_expert,
    _check_random,
    _check_nonsense,
    _check_raising_tools,
    _check_hanging_tools,
    _check_snapshots,
    _check_teardown,
)
