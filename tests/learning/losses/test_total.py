from dataclasses import replace

import pytest
import torch

from agentrl.errors import ConfigError
from agentrl.learning.batch import split
from agentrl.learning.losses import KL, total_loss
from agentrl.learning.losses.aggregation import token_mean
from agentrl.learning.losses.ratio import ppo_clip


@pytest.fixture
def batch(tiny_batch):
    """Three tokens sampled in two sequences, with advantages 1, -2 and 0."""
    batch = tiny_batch([[[0.0, 0.0], [0.0]]])
    return replace(
        batch,
        advantage_T=batch.turn_to_token(torch.tensor([1.0, -2.0, 0.0])),
        reference_logprob_T=batch.sampled_logprob_T - batch.turn_to_token(torch.tensor([0.5, -0.5, 1.0])),
        weight_T=token_mean(batch),
    )


def shifted(batch, *by):
    return (batch.sampled_logprob_T + batch.turn_to_token(torch.tensor(by, dtype=torch.float64))).requires_grad_()


def test_the_terms_and_what_is_logged_by_hand(batch):
    logprob_T = shifted(batch, 0.5, 0.1, -0.2)
    entropy_T = batch.turn_to_token(torch.tensor([1.0, 2.0, 3.0])) + 7.0  # off-action it must not matter
    loss, sums = total_loss(
        logprob_T,
        batch,
        surrogate=ppo_clip,
        kl=KL["k1"],
        kl_coefficient=0.1,
        entropy_T=entropy_T,
        entropy_coefficient=0.01,
    )
    surrogate = (-1.2 + 2 * 2.718281828459045**0.1 + 0) / 3
    kl = (1.0 + -0.4 + 0.8) / 3
    entropy = (8.0 + 9.0 + 10.0) / 3
    assert loss.item() == pytest.approx(surrogate + 0.1 * kl - 0.01 * entropy)
    assert sums.metrics() == pytest.approx(
        {
            "learn/loss": loss.item(),
            "learn/surrogate": surrogate,
            "learn/clip_fraction": 1 / 3,
            "learn/approx_kl": -(0.5 + 0.1 - 0.2) / 3,
            "learn/ratio_max": 2.718281828459045**0.5,
            "learn/reference_kl": kl,
            "learn/entropy": entropy,
        }
    )
    assert not any(getattr(sums, name).requires_grad for name in sums.__slots__)


def test_what_was_not_measured_is_not_logged(batch):
    _, sums = total_loss(shifted(batch, 0.0, 0.0, 0.0), batch, surrogate=ppo_clip)
    assert {"learn/reference_kl", "learn/entropy"}.isdisjoint((sums + sums).metrics())


def test_the_sums_of_the_parts_are_those_of_the_batch(batch):
    logprob_T = shifted(batch, 0.5, 0.1, -0.2)
    batch = replace(batch, old_logprob_T=batch.sampled_logprob_T + 0.05)
    whole, sums = total_loss(logprob_T, batch, surrogate=ppo_clip, kl=KL["k3"], kl_coefficient=0.1)
    (part_a, part_b), (logprob_a, logprob_b) = split(batch, 4), (logprob_T[:4], logprob_T[4:])
    loss_a, sums_a = total_loss(logprob_a, part_a, surrogate=ppo_clip, kl=KL["k3"], kl_coefficient=0.1)
    loss_b, sums_b = total_loss(logprob_b, part_b, surrogate=ppo_clip, kl=KL["k3"], kl_coefficient=0.1)
    assert (loss_a + loss_b).item() == pytest.approx(whole.item(), rel=1e-12)
    assert (sums_a + sums_b).metrics() == pytest.approx(sums.metrics(), rel=1e-12)


def test_the_loss_can_be_measured_without_a_graph(batch):
    with torch.no_grad():
        loss, sums = total_loss(shifted(batch, 0.5, 0.0, 0.0), batch, surrogate=ppo_clip)
    assert not loss.requires_grad
    assert sums.metrics()["learn/clip_fraction"] == pytest.approx(1 / 3)


def test_a_part_in_which_nothing_was_sampled_adds_nothing(tiny_batch):
    batch = tiny_batch([[[{"num_actions": 0}]]])
    zero_T = torch.zeros(1, dtype=torch.float64)
    loss, sums = total_loss(
        zero_T.requires_grad_(), replace(batch, advantage_T=zero_T, weight_T=zero_T), surrogate=ppo_clip
    )
    loss.backward()
    assert set(sums.metrics().values()) == {0.0}


def test_a_missing_reference_or_entropy_is_named(batch):
    with pytest.raises(ConfigError, match="no reference log-probabilities"):
        total_loss(
            batch.sampled_logprob_T,
            replace(batch, reference_logprob_T=None),
            surrogate=ppo_clip,
            kl=KL["k3"],
            kl_coefficient=0.1,
        )
    with pytest.raises(ConfigError, match="gave no entropies"):
        total_loss(batch.sampled_logprob_T, batch, surrogate=ppo_clip, entropy_coefficient=0.1)


def test_a_loss_without_weights_says_what_is_missing(batch):
    with pytest.raises(AssertionError, match="weigh the batch before the loss"):
        total_loss(batch.sampled_logprob_T, replace(batch, weight_T=None), surrogate=ppo_clip)
