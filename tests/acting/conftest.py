"""Agents on real token ids whose choices are made by dice, and small environments to fork."""

import random
from collections.abc import Sequence
from functools import partial

import pytest

from agentrl.acting.agent import TokenAgent
from agentrl.acting.collect import Collector
from agentrl.acting.engine import Completion, Sampling
from agentrl.acting.environment import Environment
from agentrl.acting.plan import Plan
from agentrl.acting.renderer import Renderer
from agentrl.acting.rollout import Limits, Stage, rollout
from agentrl.acting.suite import Suite
from agentrl.acting.tool import tool
from agentrl.errors import ToolError
from agentrl.learning.tiny import train_tokenizer, transcripts
from agentrl.messages import Message, ToolCall
from agentrl.trajectory import Group, Task


def add(amount: int) -> Message:
    return Message("assistant", "", (ToolCall("add", {"amount": amount}, "call_0"),))


ONE_OR_TWO = (add(1), add(2))


class Count(Environment):
    """Count to the target; it ends with success there, and without beyond it."""

    async def reset(self, task: Task) -> str:
        self.count, self.target = 0, task.data["target"]
        return f"Count to {self.target}."

    @tool
    async def add(self, amount: int) -> int:
        """Add to the count.

        Args:
            amount: What to add.
        """
        if amount < 0:
            raise ToolError("One cannot go back.")
        self.count += amount
        return self.count

    async def step(self, message):
        step = await super().step(message)
        return step._replace(reward=float(self.count == self.target), terminated=self.count >= self.target)

    def state_key(self):
        return self.count


class Saved(Count):
    """The same, with snapshots."""

    num_restored = 0

    def snapshot(self):
        return self.count, self.target

    def restore(self, state):
        type(self).num_restored += 1
        self.count, self.target = state


class Dice:
    """An engine that says one of its messages, as the request's seed will have it, and remembers its prompts."""

    def __init__(self, renderer: Renderer, messages: Sequence[Message]) -> None:
        self.renderer, self.messages, self.version = renderer, tuple(messages), 0
        self.prompts: list[tuple[int, ...]] = []
        self.released: list[str] = []

    async def generate(self, prompt_ids, sampling: Sampling, *, session: str = "") -> Completion:
        self.prompts.append(tuple(prompt_ids))
        rng = random.Random(sampling.seed)
        every = self.renderer.encode(rng.choice(self.messages))
        ids = every[: sampling.max_tokens]
        return Completion(
            ids=ids,
            logprobs=tuple(-rng.random() for _ in ids),
            entropies=tuple(rng.random() for _ in ids) if sampling.entropies else (),
            version=self.version,
            truncated=len(ids) < len(every),
        )

    def release(self, session: str) -> None:
        self.released.append(session)

    async def close(self) -> None:
        pass


def expert(environment, rng):
    """Adds one at a time."""
    return lambda messages: add(1)


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    conversation = (Message("user", "Count to 3."), add(1), Message("tool", "1", name="add"))
    return Renderer(train_tokenizer(["add"], transcripts([conversation] * 4), vocabulary=300))


class Counting:
    """What the tests of forks play: dice that count."""

    Count, Saved, add = Count, Saved, staticmethod(add)

    def __init__(self, renderer: Renderer) -> None:
        self.renderer = renderer

    def stage(self, environment=Count, messages=ONE_OR_TWO, *, max_tokens=200, max_turns=8, **limits) -> Stage:
        tasks = [Task(f"t{index}", index, {"target": 6}) for index in range(40)]
        suite = Suite(name="count", splits={"train": tasks}, make=environment, scripts={"expert": expert})
        agent = TokenAgent(Dice(self.renderer, messages), self.renderer, Sampling(max_tokens=max_tokens), 4000)
        return Stage(suite=suite, agent=agent, limits=Limits(max_turns=max_turns, **limits))

    @staticmethod
    async def collect(stage, explorer, num_groups=2, *, tasks=None, train_version=0, version=0, **plan) -> list[Group]:
        stage, plan = explorer.prepare(stage, Plan(**{"groups_per_step": num_groups, "group_size": 8, **plan}))
        tasks = iter(stage.suite.tasks("train")) if tasks is None else tasks
        play = partial(rollout, stage=stage)
        async with Collector(play, tasks, plan, explorer=explorer, version=lambda: version) as collector:
            return await collector.collect(num_groups, train_version=train_version)


@pytest.fixture
def counting(renderer) -> Counting:
    return Counting(renderer)
