"""The implicit process reward model really learns, from outcomes, in bounded memory, and goes on where it stopped."""

import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agentrl.learning.algorithms import algorithm
from agentrl.learning.annotate import Materials, annotators_of, make_annotators
from agentrl.learning.annotate.implicit import LINEAR, LOSSES, ImplicitReward, LossName
from agentrl.learning.batch import Batch, pack
from agentrl.learning.credit.process import outcome_cross_entropy, trajectory_dpo, turn_mean_score
from agentrl.learning.optimizer import Optimizer
from agentrl.learning.policy import Policy
from agentrl.learning.segments import segment_sum
from agentrl.learning.tiny import create_tiny
from agentrl.learning.trainer import Trainer
from agentrl.trajectory import Group

MIXED = [  # groups of trajectories of turns; a trajectory succeeds if its last reward is 1
    [
        [{"num_actions": 3}, {"num_actions": 2, "reward": 1.0}],
        [{"num_actions": 4}],
        [{"num_actions": 2, "opens_sequence": True}, {"num_actions": 1, "opens_sequence": True}, {}],
    ],
    [[{"num_actions": 2, "reward": 1.0}], [{"num_actions": 0}, {"reward": 1.0}], [{"num_actions": 5}]],
    [[{"reward": 1.0}], [{"reward": 1.0}]],  # no pair
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_tiny(tmp_path_factory.mktemp("model"), [], ["text"], size="0.1m", vocabulary=259)


@pytest.fixture
def mixed(tiny_groups: Callable[[Any], list[Group]]) -> list[Group]:
    return with_success(tiny_groups(MIXED))


def with_success(groups: list[Group]) -> list[Group]:
    return [
        replace(group, trajectories=tuple(replace(t, success=t.turns[-1].reward == 1) for t in group.trajectories))
        for group in groups
    ]


def materials(path: Path, max_tokens: int = 8) -> Materials:
    return Materials(
        policy=Policy.load(path, dtype="float64"),
        load_start=lambda: Policy.load(path, dtype="float64"),
        load_model=lambda name: Policy.load(name, dtype="float64"),
        temperature=0.7,
        max_tokens=max_tokens,
        encode=lambda text: (),
    )


def make(path: Path, **arguments: Any) -> ImplicitReward:
    row = algorithm("grpo", annotators=[{"name": "implicit_reward", **arguments}])
    (annotator,) = make_annotators(annotators_of(row), materials(path)).values()
    assert isinstance(annotator, ImplicitReward)
    return annotator


def plain(path: Path, loss: LossName, beta: float, max_tokens: int) -> ImplicitReward:
    """One that takes a step of exactly its gradient."""
    made_of = materials(path, max_tokens)
    model = made_of.load_start()
    optimizer = Optimizer([torch.optim.SGD([value for _, value in model.parameters()], lr=1.0)])
    trainer = Trainer(model, optimizer, LINEAR, max_tokens=max_tokens, max_norm=1e9, temperature=0.7)
    return ImplicitReward(trainer, made_of, LOSSES[loss], beta)


def flat(policy: Policy) -> Tensor:
    return torch.cat([value.detach().flatten() for _, value in policy.parameters()])


def gradient_of(policy: Policy, loss: Tensor) -> Tensor:
    values = [value for _, value in policy.parameters()]
    return torch.cat([gradient.flatten() for gradient in torch.autograd.grad(loss, values)])


def naive_loss(model: Policy, batch: Batch, name: str, beta: float) -> Tensor:
    """With the graph of all trajectories at once."""
    log_ratio_T = model.logprobs(batch, temperature=0.7).logprob_T - batch.behavior_logprob_T
    reward_T = torch.where(batch.action_T, beta * log_ratio_T, 0)
    if name == "trajectory_dpo":
        return trajectory_dpo(turn_mean_score(reward_T, batch), batch).loss
    score_B = segment_sum(reward_T, batch.trajectory_T, batch.num_trajectories)
    return outcome_cross_entropy(score_B, batch).loss


def test_rewards_are_beta_times_the_log_ratio_to_who_sampled(path: Path, mixed: list[Group]) -> None:
    batch = pack(mixed)
    annotated = make(path, beta=0.3).annotate(batch, mixed)
    with torch.no_grad():
        logprob_T = Policy.load(path, dtype="float64").logprobs(batch, temperature=0.7).logprob_T
    expected_T = torch.where(batch.action_T, 0.3 * (logprob_T - batch.sampled_logprob_T), 0)
    torch.testing.assert_close(annotated.process_reward_T, expected_T, atol=1e-12, rtol=0)
    other = replace(batch, old_logprob_T=batch.sampled_logprob_T - 1.0)
    again = make(path, beta=0.3).annotate(other, mixed)
    torch.testing.assert_close(again.process_reward_T, expected_T + 0.3 * batch.action_T, atol=1e-6, rtol=0)


@pytest.mark.parametrize("loss", ["trajectory_dpo", "cross_entropy"])
@pytest.mark.parametrize("max_tokens", [1, 8, 1000])
def test_two_passes_give_the_gradient_of_one_graph_over_all(
    path: Path, mixed: list[Group], loss: LossName, max_tokens: int
) -> None:
    batch = pack(mixed)
    batch = replace(batch, sampled_logprob_T=batch.sampled_logprob_T.double())
    annotator = plain(path, loss, 2.0, max_tokens)
    naive = naive_loss(annotator.model, batch, loss, 2.0)
    expected = gradient_of(annotator.model, naive)
    before = flat(annotator.model)
    metrics = annotator.update(annotator.annotate(batch, mixed))
    torch.testing.assert_close(before - flat(annotator.model), expected, atol=1e-10, rtol=1e-8)
    assert float(expected.abs().max()) > 1e-3
    assert metrics["learn/process_reward_loss"] == pytest.approx(naive.item(), abs=1e-9)
    assert metrics["learn/process_reward_gradient_norm"] == pytest.approx(float(expected.norm()))


class Saved:
    """Counts the elements that autograd keeps for a backward pass."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def keep(self, tensor: Tensor) -> "Kept":
        kept = Kept(tensor)
        self.now += tensor.numel()
        self.most = max(self.most, self.now)
        weakref.finalize(kept, self.drop, tensor.numel())
        return kept

    def drop(self, num: int) -> None:
        self.now -= num


class Kept:
    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def most_saved(path: Path, groups: list[Group], max_tokens: int) -> int:
    saved, annotator = Saved(), plain(path, "trajectory_dpo", 1.0, max_tokens)
    with torch.autograd.graph.saved_tensors_hooks(saved.keep, lambda kept: kept.tensor):
        annotator.update(annotator.annotate(pack(groups), groups))
    assert saved.now == 0
    return saved.most


def test_memory_does_not_grow_with_the_number_of_trajectories(
    path: Path, tiny_groups: Callable[[Any], list[Group]]
) -> None:
    pair = [[{"num_actions": 3}, {"num_actions": 2, "reward": 1.0}], [{"num_actions": 3}, {"num_actions": 2}]]
    few, many = (with_success(tiny_groups([pair * size] * num)) for size, num in ((1, 1), (4, 5)))
    assert most_saved(path, many, max_tokens=7) == most_saved(path, few, max_tokens=7)
    assert most_saved(path, many, max_tokens=1000) > 5 * most_saved(path, few, max_tokens=7)


@pytest.mark.parametrize("loss", ["trajectory_dpo", "cross_entropy"])
def test_it_learns_to_tell_what_succeeds(path: Path, tiny_groups: Callable[[Any], list[Group]], loss: str) -> None:
    # Whoever succeeds has longer turns; ids depend on the place in the trajectory alone.
    groups = with_success(
        tiny_groups([[[{"num_actions": 4}, {"num_actions": 4, "reward": 1.0}], [{}, {}], [{"num_context": 3}]]] * 4)
    )
    annotator = make(path, loss=loss, beta=0.5, learning_rate=3e-3)
    batch, before = pack(groups), flat(annotator.model)
    losses: list[float] = []
    for _ in range(20):
        annotated = annotator.annotate(batch, groups)
        losses.append(annotator.update(annotated)["learn/process_reward_loss"])
    assert not torch.equal(before, flat(annotator.model))
    assert losses[-1] < 0.3 * losses[0]
    assert annotated.process_reward_T is not None
    score_B = turn_mean_score(annotated.process_reward_T, annotated)
    assert annotated.success_B is not None
    assert score_B[annotated.success_B].min() > score_B[~annotated.success_B].max()


def test_the_scores_are_those_from_before_the_update(path: Path, mixed: list[Group]) -> None:
    annotator, batch = make(path, learning_rate=1e-2), pack(mixed)
    first, again = annotator.annotate(batch, mixed), annotator.annotate(batch, mixed)
    assert first.process_reward_T is not None
    assert torch.equal(first.process_reward_T, again.process_reward_T)  # type: ignore[arg-type]
    annotator.update(first)
    after = annotator.annotate(batch, mixed)
    assert not torch.equal(first.process_reward_T, after.process_reward_T)  # type: ignore[arg-type]


def test_without_a_pair_there_is_nothing_to_learn(path: Path, mixed: list[Group]) -> None:
    annotator, groups = make(path, learning_rate=1e-2), mixed[2:]
    before = flat(annotator.model)
    metrics = annotator.update(annotator.annotate(pack(groups), groups))
    assert metrics == {
        "learn/process_reward_loss": 0.0,
        "learn/process_reward_gradient_norm": 0.0,
        "learn/process_reward_skipped_total": 1.0,
    }
    assert torch.equal(flat(annotator.model), before)


def test_what_was_saved_goes_on_bit_for_bit(path: Path, mixed: list[Group], tmp_path: Path) -> None:
    batch, ends = pack(mixed), []
    for stops in (False, True):
        annotator = make(path, learning_rate=1e-2)
        for step in range(4):
            if stops and step == 2:
                annotator.save(tmp_path)
                annotator = make(path, learning_rate=1e-2)
                annotator.load(tmp_path)
            annotator.update(annotator.annotate(batch, mixed))
        ends.append(flat(annotator.model))
    assert torch.equal(*ends)
