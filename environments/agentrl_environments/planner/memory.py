"""The evolving memory: one action step for each decision of the planner, and how all modules are told of them."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from agentrl.trajectory import Task


class ActionStep(NamedTuple):
    """What the planner wanted, what was done, and what came of it."""

    tool: str  # the tool's name; as the planner wrote it where there is no such tool
    sub_goal: str
    command: str  # the call that was made, in words
    result: str  # of the call; an error in words where it failed
    succeeded: bool


Memory: TypeAlias = tuple[ActionStep, ...]


class Situation(NamedTuple):
    """All that a module is told."""

    task: Task
    memory: Memory

    @property
    def question(self) -> str:
        """What is to be answered."""
        return str(self.task.data["question"])

    def seed(self, role: str) -> int:
        """A seed for what a module samples: the same for the same task, step and role."""
        words = f"{self.task.id}/{self.task.seed}/{len(self.memory)}/{role}"
        return int.from_bytes(blake2b(words.encode(), digest_size=4).digest()) >> 1


def described(memory: Sequence[ActionStep]) -> str:
    """The memory in full, a paragraph for each step."""
    return "\n\n".join(describe_step(number, step) for number, step in enumerate(memory, start=1))


def describe_step(number: int, step: ActionStep) -> str:
    """One step of the memory in full."""
    return (
        f"Action Step {number}\n  tool: {step.tool}\n  sub-goal: {step.sub_goal}\n  command: {step.command}\n"
        f"  result: {step.result}"
    )


def noted(memory: Sequence[ActionStep]) -> str:
    """The memory in short, a line for each step."""
    return "\n".join(note_step(number, step) for number, step in enumerate(memory, start=1))


def note_step(number: int, step: ActionStep) -> str:
    """One step of the memory in one line."""
    return f"{number} {step.tool}: {step.sub_goal} -> {step.result}"
