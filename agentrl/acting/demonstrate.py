"""Demonstrations: what a script does on tasks of its own, while a policy is trained on others."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from agentrl.acting.collect import Collector
from agentrl.acting.curriculum import uniform
from agentrl.acting.plan import Plan
from agentrl.acting.rollout import Start
from agentrl.trajectory import Group, Task, Trajectory


@dataclass(frozen=True, slots=True)
class Demonstrator:
    """Has a script play so many tasks a step; it remembers nothing, so that any step can be the first."""

    play: Callable[[Start], Awaitable[Trajectory]]  # with an agent that writes the ledger
    tasks: Sequence[Task]
    plan: Plan  # of one step: `groups_per_step` groups of one

    async def demonstrate(self, step: int) -> list[Group]:
        """What is shown in a step, the first of which is 1: the same whenever it is asked for.

        Raises:
            RolloutError: The machinery failed too often.
        """
        num = self.plan.groups_per_step
        tasks = uniform(self.tasks, seed=self.plan.seed, start=(step - 1) * num)
        async with Collector(self.play, tasks, replace(self.plan, seed=self.plan.seed + step)) as collector:
            return await collector.collect(num)
