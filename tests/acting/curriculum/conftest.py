"""Builders of complete groups, and access to the golden vectors."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentrl.messages import Message
from agentrl.trajectory import Group, Outcome, Task, Trajectory, Turn

VECTORS = Path(__file__).parents[2] / "data" / "vectors"


def build_trajectory(task: Task, reward: float, outcome: Outcome = Outcome.FINISHED, valid: bool = True) -> Trajectory:
    """One turn with this reward; a success if that is 1."""
    turn = Turn(message=Message("assistant", "..."), reward=reward, valid=valid)
    return Trajectory(id="t", task=task, prompt=(), turns=(turn,), outcome=outcome, success=reward >= 1)


def build_group(task: Task, rewards: Sequence[float]) -> Group:
    """A group of one-turn trajectories with these rewards."""
    return Group(id="g", task=task, trajectories=tuple(build_trajectory(task, reward) for reward in rewards))


@pytest.fixture(scope="session")
def trajectory_of() -> Callable[..., Trajectory]:
    return build_trajectory


@pytest.fixture(scope="session")
def group_of() -> Callable[[Task, Sequence[float]], Group]:
    return build_group


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], dict[str, Any]]:
    return lambda name: json.loads((VECTORS / f"{name}.json").read_text())
