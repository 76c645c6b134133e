from functools import partial

from agentrl.acting.agent import ScriptedAgent
from agentrl.acting.demonstrate import Demonstrator
from agentrl.acting.environment import Environment, Step
from agentrl.acting.plan import Plan
from agentrl.acting.rollout import Limits, Stage, rollout
from agentrl.acting.suite import Suite
from agentrl.messages import Message
from agentrl.trajectory import Task


class Echo(Environment):
    async def reset(self, task: Task) -> str:
        return f"Say {task.id}."

    async def step(self, message: Message) -> Step:
        return Step("Thanks.", reward=1.0, terminated=True)


def roll(environment, rng):
    return lambda messages: Message("assistant", str(rng.random()))


def demonstrator(num_tasks: int = 7, num: int = 3) -> Demonstrator:
    tasks = [Task(f"t{n}") for n in range(num_tasks)]
    suite = Suite(name="echo", splits={"train": tasks}, make=Echo, scripts={"roll": roll}, parser="plain")
    stage = Stage(suite=suite, agent=ScriptedAgent(roll), limits=Limits())
    return Demonstrator(partial(rollout, stage=stage), tasks, Plan(group_size=1, groups_per_step=num, seed=5))


def said(groups):
    return [(group.task.id, group.trajectories[0].turns[0].message.text) for group in groups]


async def test_each_step_shows_the_next_tasks_until_all_have_been_shown():
    shown = [said(await demonstrator().demonstrate(step)) for step in (1, 2)]
    tasks = [task for step in shown for task, _ in step]
    assert len(set(tasks)) == 6
    assert len({text for step in shown for _, text in step}) == 6


async def test_a_step_shows_the_same_whenever_it_is_asked_for():
    first = demonstrator()
    await first.demonstrate(1)
    assert said(await first.demonstrate(4)) == said(await demonstrator().demonstrate(4))
