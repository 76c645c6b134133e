"""The critic: values before each sampled token, learnt from the returns, in a model of its own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agentrl.learning.algorithms import algorithm
from agentrl.learning.annotate import Materials, annotators_of, make_annotators
from agentrl.learning.annotate.critic import Critic
from agentrl.learning.batch import pack
from agentrl.learning.credit.critic import critic_credit
from agentrl.learning.policy import Policy
from agentrl.learning.tiny import create_tiny
from agentrl.trajectory import Group

GROUPS = [  # what a trajectory earns can be told from how long its turns are
    [
        [{"num_actions": 3}, {"num_actions": 3, "reward": 1.0, "opens_sequence": True}],
        [{"num_context": 4}, {"num_context": 2, "reward": -0.5}],
        [{"num_context": 2, "num_actions": 2}],
    ]
] * 2


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_tiny(tmp_path_factory.mktemp("model"), [], ["text"], size="0.1m", vocabulary=259)


@pytest.fixture
def groups(tiny_groups: Callable[[Any], list[Group]]) -> list[Group]:
    return tiny_groups(GROUPS)


def make(path: Path, *, max_tokens: int = 1000, **arguments: Any) -> Critic:
    materials = Materials(
        policy=Policy.load(path, dtype="float64"),
        load_start=lambda: Policy.load(path, dtype="float64"),
        load_model=lambda name: Policy.load(name, dtype="float64"),
        max_tokens=max_tokens,
        encode=lambda text: (),
    )
    row = algorithm("grpo", annotators=[{"name": "critic", **arguments}])
    (critic,) = make_annotators(annotators_of(row), materials).values()
    assert isinstance(critic, Critic)
    return critic


def parameters(critic: Critic) -> Tensor:
    body = [value.detach().flatten() for _, value in critic.body.parameters()]
    return torch.cat([*body, *(value.detach().flatten() for value in critic.head.parameters())])


def learn(critic: Critic, groups: list[Group], num: int) -> list[float]:
    batch = pack(groups)
    return [critic.update(critic.annotate(batch, groups))["learn/value_loss"] for _ in range(num)]


def test_a_new_critic_expects_nothing(path: Path, groups: list[Group]) -> None:
    value_T = make(path).annotate(pack(groups), groups).value_T
    assert value_T is not None
    assert not value_T.any()


def test_values_are_read_before_the_token_whatever_fits_a_pass(path: Path, groups: list[Group]) -> None:
    critic, batch = make(path, learning_rate=1e-2), pack(groups)
    learn(critic, groups, 3)
    hidden_TD = critic.body.hidden(batch)
    expected_T = torch.where(batch.action_T, critic.head(hidden_TD).squeeze(1).roll(1), 0).detach()
    assert expected_T[batch.action_T].abs().min() > 0
    for max_tokens in (1, 10, 1000):
        critic._max_tokens = max_tokens
        value_T = critic.annotate(batch, groups).value_T
        torch.testing.assert_close(value_T, expected_T, atol=1e-12, rtol=0)
        assert value_T is not None
        assert not value_T.requires_grad


def test_it_learns_what_is_earned_from_each_token_on(path: Path, groups: list[Group]) -> None:
    critic, batch = make(path, learning_rate=1e-2, clip=None), pack(groups)
    losses = learn(critic, groups, 40)
    assert losses[-1] < 0.05 * losses[0]
    metrics = critic.update(critic.annotate(batch, groups))
    assert metrics["learn/value_explained"] > 0.9
    value_T = critic.annotate(batch, groups).value_T
    assert value_T is not None
    worth = torch.tensor([1.0, -0.5, 0.0] * 2)[batch.trajectory_T]
    assert float((value_T - worth)[batch.action_T].abs().max()) < 0.3


@pytest.mark.parametrize("arguments", [{}, {"gae_lambda": 0.9, "discount": 0.8}, {"over": "turns", "discount": 0.5}])
def test_targets_are_those_of_the_credit_function(path: Path, groups: list[Group], arguments: dict[str, Any]) -> None:
    critic = make(path, learning_rate=1e-2, clip=None, **arguments)
    learn(critic, groups, 2)
    batch = critic.annotate(pack(groups), groups)
    assert batch.value_T is not None
    target_T = critic_credit(batch, **{"gae_lambda": 1.0, **arguments}).target_T
    squared = (batch.value_T - target_T)[batch.action_T].square().mean() / 2
    assert critic.update(batch)["learn/value_loss"] == pytest.approx(float(squared))


def test_the_step_is_the_same_however_the_batch_is_cut(path: Path, groups: list[Group]) -> None:
    ends = []
    for max_tokens in (1, 12, 1000):
        critic = make(path, learning_rate=1e-2, max_tokens=max_tokens)
        learn(critic, groups, 3)
        ends.append(parameters(critic))
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0], atol=1e-8, rtol=0)


@pytest.mark.parametrize(("clip", "moves"), [(None, True), (2.0, True), (0.5, False)])
def test_a_value_that_has_moved_far_enough_moves_no_further(
    path: Path, groups: list[Group], clip: float | None, moves: bool
) -> None:
    critic = make(path, learning_rate=1e-2, clip=clip)
    batch = critic.annotate(pack(groups), groups)
    assert batch.value_T is not None
    earned = replace(batch, value_T=batch.value_T - 1.0, reward_U=torch.full_like(batch.reward_U, 5.0))
    assert (critic.update(earned)["learn/value_gradient_norm"] > 0) == moves


def test_each_update_takes_its_share_of_the_trajectories(path: Path, groups: list[Group]) -> None:
    whole, parts = (make(path, learning_rate=1e-2, updates=updates) for updates in (1, 3))
    for critic in (whole, parts):
        learn(critic, groups, 1)
    assert not torch.equal(parameters(whole), parameters(parts))
    many = make(path, learning_rate=1e-2, updates=100)
    assert learn(many, groups[:1], 1)[0] >= 0  # no more steps than trajectories


def test_the_policy_is_not_touched(path: Path, groups: list[Group]) -> None:
    critic = make(path, learning_rate=1e-2)
    learn(critic, groups, 3)
    start = Policy.load(path, dtype="float64")
    assert not all(torch.equal(value, start.weights()[name]) for name, value in critic.body.weights().items())


def test_what_was_saved_goes_on_bit_for_bit(path: Path, groups: list[Group], tmp_path: Path) -> None:
    ends = []
    for stops in (False, True):
        critic = make(path, learning_rate=1e-2, updates=2)
        for step in range(4):
            if stops and step == 2:
                critic.save(tmp_path)
                critic = make(path, learning_rate=1e-2, updates=2)
                critic.load(tmp_path)
            learn(critic, groups, 1)
        ends.append(parameters(critic))
    assert torch.equal(*ends)


def test_a_gradient_that_is_not_finite_changes_nothing(path: Path, groups: list[Group]) -> None:
    critic = make(path, learning_rate=1e-2)
    batch = critic.annotate(pack(groups), groups)
    before = parameters(critic)
    metrics = critic.update(replace(batch, reward_U=batch.reward_U + torch.inf))
    assert metrics["learn/value_skipped"] == 1.0
    assert torch.equal(parameters(critic), before)
