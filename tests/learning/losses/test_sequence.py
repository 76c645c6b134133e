from dataclasses import replace
from functools import partial
from math import exp, log

import pytest
import torch

from agentrl.learning.losses.sequence import gmpo, gspo


def clip(config):
    return {"clip_low": config["clip_low"], "clip_high": config["clip_high"]}


def test_gspo_is_the_official_one(official):
    assert official("loss_gspo", lambda config: partial(gspo, **clip(config)), "sequence_mean") == 3


def test_gmpo_is_the_official_one(official):
    surrogate = lambda config: partial(gmpo, **clip(config))  # noqa: E731
    assert official("loss_misc_verl", surrogate, "sequence_mean", prefix="gmpo") == 2


@pytest.fixture
def two_turns(tiny_batch):
    """Two turns of two tokens in one sequence, and one in a sequence of its own; observations between them."""
    batch = tiny_batch([[[{"num_actions": 2}, {"num_actions": 2}, {"num_actions": 2, "opens_sequence": True}]]])
    batch = replace(batch, advantage_T=batch.action_T.double())
    change_T = torch.zeros_like(batch.sampled_logprob_T)
    change_T[batch.action_T] = torch.tensor([1.2, 0.8, 2.0, 0.5, 1.5, 1.5], dtype=torch.float64).log()
    return batch, (batch.sampled_logprob_T + change_T).requires_grad_()


@pytest.mark.parametrize(
    ("over", "means"),
    [
        ("sequence", [(1.2 * 0.8) ** (1 / 4)] * 4 + [1.5] * 2),
        ("turn", [(1.2 * 0.8) ** (1 / 2)] * 2 + [1.0] * 2 + [1.5] * 2),
    ],
)
def test_a_unit_has_one_ratio_the_geometric_mean(two_turns, of_tokens, over, means):
    batch, logprob_T = two_turns
    values, gradients = of_tokens(partial(gspo, over=over, clip_low=0.5, clip_high=0.2), logprob_T, batch)
    assert values == pytest.approx([-min(mean, 1.2) for mean in means])
    assert gradients == pytest.approx([-mean if mean < 1.2 else 0.0 for mean in means])


def test_with_one_advantage_a_unit_the_gradient_is_that_of_the_mean_ratio(two_turns):
    batch, logprob_T = two_turns
    weight = 0.25  # of a token of the first sequence
    first_T = batch.action_T & (batch.sequence_T == 0)
    (gradient_T,) = torch.autograd.grad((weight * gspo(logprob_T, batch, clip_high=9.0)[first_T]).sum(), logprob_T)
    mean = ((logprob_T - batch.sampled_logprob_T)[first_T]).mean().exp()
    (expected_T,) = torch.autograd.grad(-mean, logprob_T)
    torch.testing.assert_close(gradient_T, expected_T)


def test_an_absurd_mean_ratio_stays_finite(with_ratios, of_tokens):
    batch, logprob_T = with_ratios(1e300, 1e300, advantage=-1.0)
    values, gradients = of_tokens(gspo, logprob_T, batch)
    assert values == pytest.approx([exp(10)] * 2)
    assert gradients == [0, 0]


@pytest.mark.parametrize(
    ("over", "values", "gradients"),
    [
        ("turn", [0.96**0.5] * 2 + [(exp(0.4) * 0.5) ** 0.5] * 2 + [exp(0.4)] * 2, [1, 1, 0, 1, 0, 0]),
        ("sequence", [(0.96 * 0.5 * exp(0.4)) ** 0.25] * 4 + [exp(0.4)] * 2, [1, 1, 0, 1, 0, 0]),
    ],
)
def test_gmpo_clips_each_log_ratio_before_their_mean(two_turns, of_tokens, over, values, gradients):
    batch, logprob_T = two_turns
    assert log(1.5) > 0.4
    got, slopes = of_tokens(partial(gmpo, over=over), logprob_T, batch)
    assert got == pytest.approx([-value for value in values])
    assert slopes == pytest.approx([-value * slope for value, slope in zip(values, gradients, strict=True)])
