import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.algorithms import algorithm
from agentrl.learning.batch import Batch
from agentrl.learning.optimizer import Optimizer, adamw, muon, schedule
from agentrl.learning.policy import Policy
from agentrl.learning.tiny import create_tiny
from agentrl.learning.trainer import Trainer

VOCABULARY = 259  # every byte and the special tokens


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_tiny(tmp_path_factory.mktemp("model"), [], ["text"], size="0.1m", vocabulary=VOCABULARY)


def make_batch(lengths: list[int], seed: int = 0) -> Batch:
    """Trajectories of one turn, with random tokens and advantages, and the mean over tokens as weights."""
    generator = torch.Generator().manual_seed(seed)
    num, total = len(lengths), sum(lengths)
    position_T = torch.cat([torch.arange(length) for length in lengths])
    action_T = (torch.rand(total, generator=generator) < 0.5) & (position_T > 0)
    noise_T = torch.randn(total, generator=generator)
    index_N = torch.arange(num)
    return Batch(
        token_T=torch.randint(0, VOCABULARY, (total,), generator=generator),
        action_T=action_T,
        sampled_logprob_T=torch.where(action_T, noise_T * 0.1 - math.log(VOCABULARY), 0),
        turn_T=index_N.repeat_interleave(torch.tensor(lengths)),
        position_T=position_T,
        reward_U=torch.zeros(num, dtype=torch.float64),
        trajectory_U=index_N,
        sequence_U=index_N,
        version_U=torch.zeros(num, dtype=torch.int64),
        valid_U=torch.ones(num, dtype=torch.bool),
        group_B=torch.zeros(num, dtype=torch.int64),
        terminated_B=torch.ones(num, dtype=torch.bool),
        advantage_T=torch.where(action_T, noise_T.roll(1), 0),
        weight_T=action_T / action_T.sum(),
    )


def plain(policy: Policy) -> Optimizer:
    """Gradient descent: after a step at rate 1, the parameters have moved by the gradient."""
    return Optimizer([torch.optim.SGD([value for _, value in policy.parameters()], lr=1.0)])


def flat(policy: Policy) -> Tensor:
    return torch.cat([value.detach().flatten() for _, value in policy.parameters()])


def moved(path: Path, batch: Batch, **settings: Any) -> tuple[Tensor, dict[str, float]]:
    """What one step of plain gradient descent in double precision adds to the parameters, and its metrics."""
    policy = Policy.load(path, dtype="float64")
    before = flat(policy)
    name = settings.pop("algorithm", "grpo")
    arguments = settings.pop("arguments", {})
    trainer = Trainer(policy, plain(policy), algorithm(name, **arguments), **{"max_norm": 1e9, **settings})
    metrics = trainer.step(batch)
    return flat(policy) - before, metrics


@pytest.mark.parametrize("arguments", [{}, {"entropy_coefficient": 0.1}, {"kl_coefficient": 0.1}])
def test_the_step_is_the_same_however_the_batch_is_cut(model_path: Path, arguments: dict[str, float]) -> None:
    batch = make_batch([40, 7, 90, 33, 34, 5])
    batch = replace(batch, reference_logprob_T=batch.sampled_logprob_T - 0.05)
    whole, metrics = moved(model_path, batch, arguments=arguments)
    assert float(whole.abs().max()) > 1e-3
    for max_tokens in (1, 60, 100):
        part, part_metrics = moved(model_path, batch, arguments=arguments, max_tokens=max_tokens)
        assert float((part - whole).abs().max()) < 1e-10
        assert part_metrics == pytest.approx(metrics, abs=1e-9)


def test_sequences_without_advantage_are_skipped_and_change_nothing(model_path: Path) -> None:
    batch = make_batch([40, 7, 90, 33])
    assert batch.advantage_T is not None
    idle = replace(batch, advantage_T=torch.where(batch.turn_T == 2, 0.0, batch.advantage_T))
    skipping, metrics = moved(model_path, idle)
    # A term that needs every sequence, with a coefficient too small to be seen, switches skipping off.
    full, full_metrics = moved(model_path, idle, arguments={"entropy_coefficient": 1e-300})
    assert float((skipping - full).abs().max()) < 1e-12
    assert metrics["learn/idle_token_fraction"] == pytest.approx(90 / 170)
    assert full_metrics["learn/idle_token_fraction"] == 0


def test_what_failed_to_be_an_action_is_not_imitated_but_read(model_path: Path) -> None:
    batch = make_batch([30, 30])
    invalid = replace(batch, valid_U=torch.tensor([True, False]))
    context = replace(batch, action_T=batch.action_T & (batch.turn_T == 0))
    steps: list[Tensor] = []
    for demonstrations in (invalid, context, batch):
        policy = Policy.load(model_path, dtype="float64")
        Trainer(policy, plain(policy), max_norm=1e9).sft_step(demonstrations)
        steps.append(flat(policy))
    assert torch.equal(steps[0], steps[1])
    assert not torch.equal(steps[0], steps[2])


def test_a_batch_without_any_advantage_is_a_counted_step_that_changes_nothing(model_path: Path) -> None:
    policy = Policy.load(model_path)
    trainer = Trainer(policy, plain(policy), algorithm("grpo"))
    batch = make_batch([10, 10])
    before = flat(policy)
    metrics = trainer.step(replace(batch, advantage_T=torch.zeros(20)))
    assert torch.equal(flat(policy), before)
    assert (metrics["learn/skipped"], trainer.num_skipped, trainer.version) == (1, 1, 1)


def test_a_gradient_that_is_not_finite_is_skipped_and_counted(model_path: Path) -> None:
    policy = Policy.load(model_path)
    trainer = Trainer(policy, adamw(policy.parameters(), learning_rate=0.1), algorithm("grpo"))
    batch = make_batch([10, 10])
    before = flat(policy)
    metrics = trainer.step(replace(batch, advantage_T=torch.where(batch.action_T, math.nan, 0.0)))
    assert torch.equal(flat(policy), before)
    assert metrics["learn/skipped_total"] == 1
    assert not math.isfinite(metrics["learn/gradient_norm"])
    good = trainer.step(batch)
    assert (good["learn/skipped"], good["learn/skipped_total"], trainer.version) == (0, 1, 2)
    assert not torch.equal(flat(policy), before)


def test_the_gradient_is_scaled_down_to_the_norm(model_path: Path) -> None:
    batch = make_batch([40, 20])
    free, metrics = moved(model_path, batch)
    norm = float(free.norm())
    assert metrics["learn/gradient_norm"] == pytest.approx(norm)
    clipped, _ = moved(model_path, batch, max_norm=norm / 4)
    torch.testing.assert_close(clipped, free / 4, rtol=1e-5, atol=1e-9)


def test_the_step_follows_the_policy_gradient_at_the_sampling_temperature(model_path: Path) -> None:
    batch = make_batch([30, 12])
    step, _ = moved(model_path, batch, algorithm="reinforce", temperature=0.5)
    policy = Policy.load(model_path, dtype="float64")
    logprob_T = policy.logprobs(batch, temperature=0.5).logprob_T
    assert batch.advantage_T is not None
    assert batch.weight_T is not None
    (logprob_T * batch.advantage_T * batch.weight_T).sum().backward()
    expected = torch.cat([value.grad.flatten() for _, value in policy.parameters() if value.grad is not None])
    torch.testing.assert_close(step, expected, rtol=1e-6, atol=1e-9)


def test_the_learning_rate_follows_the_schedule(model_path: Path) -> None:
    policy = Policy.load(model_path)
    trainer = Trainer(policy, plain(policy), algorithm("grpo"), schedule=schedule("linear", warmup=1, total=4))
    factors = [trainer.step(make_batch([10, 10]))["learn/learning_rate_factor"] for _ in range(5)]
    assert factors == pytest.approx([0.5, 1.0, 2 / 3, 1 / 3, 0.0])
    batch = make_batch([10, 10])
    whole, _ = moved(model_path, batch)
    quarter, _ = moved(model_path, batch, schedule=schedule("constant", warmup=3))
    torch.testing.assert_close(quarter, whole / 4)


def test_schedules_rise_and_fall_as_they_say() -> None:
    cosine = schedule("cosine", warmup=3, total=13, floor=0.1)
    assert [cosine(step) for step in (0, 1, 2, 3)] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert cosine(8) == pytest.approx(0.55)
    assert cosine(13) == cosine(1000) == pytest.approx(0.1)
    assert [schedule()(step) for step in (0, 10**6)] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "step"}, "constant, linear, cosine"),
        ({"kind": "cosine"}, "total"),
        ({"kind": "linear", "total": 0}, "total"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        schedule(**arguments)


@pytest.mark.parametrize(
    "make",
    [
        lambda parameters: adamw(parameters, learning_rate=3e-3),
        lambda parameters: muon(parameters, learning_rate=0.02, adamw_learning_rate=3e-3),
        lambda parameters: muon(parameters, learning_rate=3e-3, adamw_learning_rate=3e-3, adjust="match_rms_adamw"),
    ],
    ids=["adamw", "muon", "muon matched"],
)
def test_imitation_learns_the_demonstrations_by_heart(model_path: Path, make: Callable[..., Optimizer]) -> None:
    policy = Policy.load(model_path)
    trainer = Trainer(policy, make(policy.parameters()))
    batch = make_batch([24, 30, 18])
    losses = [trainer.sft_step(batch)["learn/action_loss"] for _ in range(60)]
    assert losses[0] == pytest.approx(math.log(VOCABULARY), abs=0.2)
    assert losses[-1] < 0.5


def test_reinforcement_makes_what_had_an_advantage_likelier(model_path: Path) -> None:
    policy = Policy.load(model_path)
    trainer = Trainer(policy, adamw(policy.parameters(), learning_rate=1e-3), algorithm("grpo", clip_high=10.0))
    batch = make_batch([24, 30, 18])
    before_T = policy.logprobs(batch).logprob_T.detach()
    batch = replace(batch, sampled_logprob_T=before_T)
    for _ in range(5):
        trainer.step(batch)
    change_T = policy.logprobs(batch).logprob_T.detach() - before_T
    assert batch.advantage_T is not None
    assert float((change_T * batch.advantage_T).sum()) > 1.0


def test_imitation_weighs_observations_beside_actions_however_it_is_cut(model_path: Path) -> None:
    batch, steps = make_batch([24, 30, 18]), []
    for max_tokens in (1, 1000):
        policy = Policy.load(model_path, dtype="float64")
        trainer = Trainer(policy, plain(policy), max_tokens=max_tokens, max_norm=1e9)
        before = flat(policy)
        metrics = trainer.sft_step(batch, observation_weight=0.3)
        steps.append((flat(policy) - before, metrics))
    assert float((steps[0][0] - steps[1][0]).abs().max()) < 1e-10
    assert steps[0][1] == pytest.approx(steps[1][1])
    all_T = batch.position_T > 0
    policy = Policy.load(model_path, dtype="float64")
    with torch.no_grad():
        nll_T = -policy.logprobs(batch, at_T=all_T).logprob_T[all_T]
    weight_T = torch.where(batch.action_T, 1.0, 0.3)[all_T]
    assert steps[0][1]["learn/loss"] == pytest.approx(float((nll_T * weight_T).sum() / weight_T.sum()))


def test_reinforcement_without_an_algorithm_is_refused(model_path: Path) -> None:
    policy = Policy.load(model_path)
    with pytest.raises(ConfigError, match="without an algorithm"):
        Trainer(policy, plain(policy)).step(make_batch([10]))


def test_muon_takes_the_hidden_matrices_and_adamw_the_rest(model_path: Path) -> None:
    policy = Policy.load(model_path)
    state = muon(policy.parameters(), learning_rate=0.02, adamw_learning_rate=1e-3).state_dict()
    matrices, others = (sum(len(group["params"]) for group in part["param_groups"]) for part in state["parts"])
    assert matrices == 2 * 7
    assert matrices + others == len(list(policy.parameters()))
