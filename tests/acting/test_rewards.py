import asyncio
import threading
from fractions import Fraction
from typing import Any

import pytest

from agentrl.acting.environment import Environment, ToolEnvironment
from agentrl.acting.rewards import AnyReward, reward, rewards_of, score_trajectory, score_turn, turn_reward
from agentrl.errors import ConfigError, GraderError, SandboxError
from agentrl.messages import Message
from agentrl.trajectory import Outcome, Task, Trajectory, Turn

TASK = Task("t", data={"answer": "4"})
TURN = Turn(message=Message("assistant", "4"), reward=0.5)
TRAJECTORY = Trajectory(id="x", task=TASK, prompt=(), turns=(TURN, TURN), outcome=Outcome.FINISHED)


@reward
def exact_match(trajectory: Trajectory, task: Task) -> bool:
    return trajectory.turns[-1].message.text == task.data["answer"]


class Counter(Environment):
    count = 3

    @reward(weight=2.0)
    async def reached(self) -> float:
        return float(self.count == 3)

    @reward(name="length")
    def num_turns(self, trajectory: Trajectory) -> int:
        return len(trajectory.turns)

    @turn_reward(weight=-0.1)
    async def talk(self, turn: Turn, task: Task) -> int:
        return len(turn.message.text) * self.count


def given(*rewards: AnyReward) -> ToolEnvironment:
    return ToolEnvironment(rewards=rewards)


async def test_rewards_of_an_environment_are_weighted_and_named() -> None:
    assert await score_trajectory(Counter(), TRAJECTORY) == {"reached": 2.0, "length": 2.0}
    assert await score_turn(Counter(), TURN, TASK) == {"talk": pytest.approx(-0.3)}


async def test_an_environment_without_rewards_has_none() -> None:
    assert await score_trajectory(Environment(), TRAJECTORY) == {}
    assert await score_turn(Environment(), TURN, TASK) == {}


async def test_free_functions_get_the_trajectory_and_the_task() -> None:
    assert await score_trajectory(given(exact_match), TRAJECTORY) == {"exact_match": 1.0}


async def test_arguments_are_given_by_type_or_by_name() -> None:
    @reward
    async def by_type(what: Task, run: Trajectory) -> float:
        return len(run.turns) + len(what.data)

    @reward
    async def by_name(task, trajectory, scale=10) -> float:  # pyright: ignore
        return scale * len(trajectory.turns) + len(task.data)

    @reward
    async def quoted(what: "Task") -> float:
        return len(what.data)

    values = await score_trajectory(given(by_type, by_name, quoted), TRAJECTORY)
    assert values == {"by_type": 3.0, "by_name": 21.0, "quoted": 1.0}


def test_a_reward_that_asks_for_something_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="The reward odd asks for screen: str; it can be given trajectory and task"):

        @reward
        def odd(screen: str) -> float:
            return 0.0

    with pytest.raises(ConfigError, match="it can be given turn and task"):

        @turn_reward
        def early(trajectory: Trajectory) -> float:
            return 0.0


def test_a_weight_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="weight=nan"):
        reward(weight=float("nan"))(exact_match.function)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be a `def` or `async def`"):
        reward(3)  # pyright: ignore


def test_decorated_rewards_are_called_as_before() -> None:
    assert exact_match(TRAJECTORY, TASK) is True
    assert Counter().num_turns(TRAJECTORY) == 2
    assert [entry.name for entry in rewards_of(Counter())] == ["reached", "length", "talk"]


def test_two_rewards_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="Two rewards are called 'exact_match'"):
        given(exact_match, exact_match)


@pytest.mark.parametrize(
    ("value", "scored"), [(True, 3.0), (False, 0.0), (2, 6.0), (Fraction(1, 2), 1.5), (None, None)]
)
async def test_numbers_and_bools_are_scored_and_none_is_unscored(value: Any, scored: float | None) -> None:
    @reward(weight=3.0)
    async def constant() -> Any:
        return value

    assert await score_trajectory(given(constant), TRAJECTORY) == {"constant": scored}


async def test_an_undecided_turn_reward_excludes_the_trajectory() -> None:
    @turn_reward
    async def unsure() -> None:
        return None

    with pytest.raises(GraderError, match="the turn reward unsure could not be decided"):
        await score_turn(given(unsure), TURN, TASK)


@pytest.mark.parametrize("value", ["1.0", [1], float("nan"), float("inf"), 1j])
async def test_what_is_no_finite_number_is_an_error_and_never_zero(value: Any) -> None:
    @reward
    async def wrong() -> Any:
        return value

    with pytest.raises(GraderError, match="the reward wrong returned"):
        await score_trajectory(given(wrong), TRAJECTORY)


async def test_a_reward_that_raises_is_an_error_and_never_zero() -> None:
    @reward
    def crash(task: Task) -> float:
        return float(task.data["no such key"])

    with pytest.raises(GraderError, match="the reward crash: KeyError: 'no such key'"):
        await score_trajectory(given(crash), TRAJECTORY)


async def test_an_error_that_says_what_failed_keeps_its_class() -> None:
    @reward
    async def judged() -> float:
        raise SandboxError("the container is gone")

    with pytest.raises(SandboxError, match="the container is gone"):
        await score_trajectory(given(judged), TRAJECTORY)


async def test_a_reward_that_hangs_is_an_error() -> None:
    released = threading.Event()

    @reward
    async def hang() -> float:
        await asyncio.Event().wait()
        return 0.0

    @reward
    def block() -> float:
        released.wait()
        return 0.0

    for entry in (hang, block):
        with pytest.raises(GraderError, match=f"the reward {entry.name} gave no result within 0.01 s"):
            await score_trajectory(given(entry), TRAJECTORY, seconds=0.01)
    released.set()


async def test_synchronous_rewards_do_not_block_the_event_loop() -> None:
    released = threading.Event()

    @reward
    def wait() -> bool:
        return released.wait(30)

    async with asyncio.TaskGroup() as group:
        scored = group.create_task(score_trajectory(given(wait), TRAJECTORY))
        await asyncio.sleep(0)
        released.set()
    assert scored.result() == {"wait": 1.0}


async def test_given_rewards_and_marked_methods_are_scored_together() -> None:
    class Talkative(ToolEnvironment):
        @turn_reward
        async def length(self, turn: Turn) -> int:
            return len(turn.message.text)

    environment = Talkative(rewards=[exact_match])
    assert await score_trajectory(environment, TRAJECTORY) == {"exact_match": 1.0}
    assert await score_turn(environment, TURN, TASK) == {"length": 1.0}
