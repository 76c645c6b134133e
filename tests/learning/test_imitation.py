"""Imitation beside reinforcement: one gradient of both, however either is cut up; and how much each counts."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.algorithms import algorithm
from agentrl.learning.batch import Batch
from agentrl.learning.imitation import (
    Demonstrations,
    Imitation,
    blend,
    chord,
    demonstration_weights,
    imitation_of,
    srft,
    uncertain,
)
from agentrl.learning.optimizer import Optimizer
from agentrl.learning.policy import Policy
from agentrl.learning.tiny import create_tiny
from agentrl.learning.trainer import Trainer

VOCABULARY = 259


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_tiny(tmp_path_factory.mktemp("model"), [], ["text"], size="0.1m", vocabulary=VOCABULARY)


def make_batch(lengths: list[int], seed: int = 0) -> Batch:
    """Trajectories of one turn, with random tokens and advantages, and the mean over tokens as weights."""
    generator = torch.Generator().manual_seed(seed)
    num, total = len(lengths), sum(lengths)
    position_T = torch.cat([torch.arange(length) for length in lengths])
    action_T = (torch.rand(total, generator=generator) < 0.5) & (position_T > 0)
    index_N = torch.arange(num)
    return Batch(
        token_T=torch.randint(0, VOCABULARY, (total,), generator=generator),
        action_T=action_T,
        sampled_logprob_T=torch.where(action_T, -math.log(VOCABULARY), 0.0).double(),
        turn_T=index_N.repeat_interleave(torch.tensor(lengths)),
        position_T=position_T,
        reward_U=torch.zeros(num, dtype=torch.float64),
        trajectory_U=index_N,
        sequence_U=index_N,
        version_U=torch.zeros(num, dtype=torch.int64),
        valid_U=torch.ones(num, dtype=torch.bool),
        group_B=torch.zeros(num, dtype=torch.int64),
        terminated_B=torch.ones(num, dtype=torch.bool),
        advantage_T=torch.where(action_T, torch.randn(total, generator=generator).double(), 0),
        weight_T=(action_T / action_T.sum()).double(),
    )


SAMPLED, SHOWN = make_batch([40, 7, 90, 33]), make_batch([24, 31, 12], seed=1)


def flat(policy: Policy) -> Tensor:
    return torch.cat([value.detach().flatten() for _, value in policy.parameters()])


def moved(
    path: Path, imitation: Imitation, *, step: int = 3, max_tokens: int = 1000
) -> tuple[Tensor, dict[str, float]]:
    """What one step of plain gradient descent in double precision adds to the parameters, and its metrics."""
    policy = Policy.load(path, dtype="float64")
    optimizer = Optimizer([torch.optim.SGD([value for _, value in policy.parameters()], lr=1.0)])
    trainer = Trainer(policy, optimizer, algorithm("reinforce"), max_tokens=max_tokens, max_norm=1e9)
    before = flat(policy)
    batch, demonstrations = blend(imitation, SAMPLED, SHOWN, step=step, policy=policy, max_tokens=max_tokens)
    metrics = trainer.step(batch, demonstrations)
    return flat(policy) - before, metrics


def expected(path: Path, reinforcement: float, imitation: float, *, phi: bool = False) -> Tensor:
    """The same from both losses as they are written, each in one pass."""
    policy = Policy.load(path, dtype="float64")
    logprob_T = policy.logprobs(SAMPLED).logprob_T
    assert SAMPLED.advantage_T is not None
    reinforced = -(SAMPLED.advantage_T * logprob_T)[SAMPLED.action_T].mean()
    shown_N = policy.logprobs(SHOWN).logprob_T[SHOWN.action_T]
    factor_N = (shown_N.exp() * (1 - shown_N.exp())).detach() if phi else 1.0
    imitated = -(factor_N * shown_N).mean()
    values = [value for _, value in policy.parameters()]
    gradients = torch.autograd.grad(reinforcement * reinforced + imitation * imitated, values)
    return -torch.cat([gradient.flatten() for gradient in gradients])


@pytest.mark.parametrize("max_tokens", [1, 40, 1000])
@pytest.mark.parametrize("phi", [False, True])
def test_one_step_takes_both_gradients_however_either_batch_is_cut(path: Path, phi: bool, max_tokens: int) -> None:
    step, metrics = moved(path, chord(peak=0.3, floor=0.3, phi=phi), max_tokens=max_tokens)
    torch.testing.assert_close(step, expected(path, 0.7, 0.3, phi=phi), atol=1e-8, rtol=1e-6)
    assert float(expected(path, 0.0, 0.3, phi=phi).abs().max()) > 1e-6
    assert metrics["learn/imitation_action_loss"] == pytest.approx(math.log(VOCABULARY), abs=0.2)
    assert metrics["learn/gradient_norm"] == pytest.approx(float(step.norm()))


@pytest.mark.parametrize("max_tokens", [1, 40, 1000])
def test_srft_imitates_less_where_the_policy_is_less_certain(path: Path, max_tokens: int) -> None:
    output = Policy.load(path, dtype="float64").logprobs(SHOWN, entropy=True)
    assert output.entropy_T is not None
    entropy = float(output.entropy_T.detach()[SHOWN.action_T].mean())
    step, _ = moved(path, srft(factor=100.0), max_tokens=max_tokens)
    torch.testing.assert_close(step, expected(path, 1.0, 100 * math.exp(-entropy)), atol=1e-7, rtol=1e-6)


def test_the_share_rises_falls_and_stays_as_it_says() -> None:
    imitation = chord(peak=0.8, floor=0.2, warmup_steps=4, decay_steps=10)
    shares = [imitation.share(step) for step in (0, 2, 4, 9, 14, 1000)]
    assert shares == pytest.approx([0.0, 0.4, 0.8, 0.5, 0.2, 0.2])
    assert [imitation.reinforcement(step) for step in (0, 9, 99)] == pytest.approx([1.0, 0.5, 0.8])
    assert chord().share(0) == chord().share(7) == 0.1


def test_tokens_count_most_where_the_policy_wavers() -> None:
    logprob_T = torch.tensor([0.5, 0.9, 0.01]).log().requires_grad_()
    factor_T = uncertain(logprob_T)
    torch.testing.assert_close(factor_T, torch.tensor([0.25, 0.09, 0.0099]))
    assert not factor_T.requires_grad


def test_a_batch_without_advantages_still_imitates(path: Path) -> None:
    policy = Policy.load(path)
    optimizer = Optimizer([torch.optim.SGD([value for _, value in policy.parameters()], lr=1.0)])
    trainer = Trainer(policy, optimizer, algorithm("grpo"))
    idle = replace(SAMPLED, advantage_T=torch.zeros(SAMPLED.num_tokens))
    metrics = trainer.step(*blend(chord(phi=False), idle, SHOWN, step=0, policy=policy))
    assert metrics["learn/skipped"] == 0
    assert metrics["learn/idle_token_fraction"] == 1
    weighed = replace(SHOWN, weight_T=torch.zeros(SHOWN.num_tokens))
    assert trainer.step(idle, Demonstrations(weighed))["learn/imitation_action_loss"] == 0


def test_only_valid_actions_are_imitated_and_their_weights_add_up_to_1() -> None:
    valid = replace(SHOWN, valid_U=torch.tensor([True, False, True]))
    weight_T = demonstration_weights(valid)
    counted_T = SHOWN.action_T & (SHOWN.turn_T != 1)
    torch.testing.assert_close(weight_T, counted_T / counted_T.sum())
    none = replace(SHOWN, valid_U=torch.zeros(3, dtype=torch.bool))
    assert not demonstration_weights(none).any()


def test_an_algorithm_names_what_it_imitates() -> None:
    assert imitation_of(algorithm("grpo")) is None
    imitation = imitation_of(algorithm("grpo", imitation={"name": "chord", "script": "novice", "peak": 0.5}))
    assert imitation is not None
    assert (imitation.script, imitation.trajectories) == ("novice", 8)


@pytest.mark.parametrize(
    ("imitation", "message"),
    [
        ("cord", "There is no imitation 'cord'. Did you mean 'chord'"),
        ({"name": "chord", "paek": 0.5}, "The imitation 'chord' takes no argument 'paek'. Did you mean 'peak'"),
        ({"name": "chord", "phi": "yes"}, "phi = 'yes': Input should be a valid boolean"),
        ({"name": "chord", "peak": 1.5}, "chord needs shares between 0 and 1"),
        ({"name": "srft", "trajectories": 0}, "needs at least one trajectory a step; got 0"),
        ({"peak": 0.5}, "does not say which: add its name"),
    ],
)
def test_what_makes_no_sense_is_answered_with_what_does(imitation: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        imitation_of(algorithm("grpo", imitation=imitation))
    assert message in str(caught.value)
