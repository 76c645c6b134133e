from dataclasses import replace
from functools import partial

import pytest
import torch

from agentrl.learning.losses import AGGREGATION, total_loss
from agentrl.learning.losses.ratio import ppo_clip, reinforce, signed_clip

AXES = {  # of the official aggregations; a row is a trajectory, and one sequence
    "token-mean": ["token_mean"],
    "token-sum": ["token_sum"],
    "seq-mean-token-sum": ["trajectory_mean_token_sum", "sequence_mean_token_sum"],
    "seq-mean-token-mean": ["trajectory_mean", "sequence_mean"],
    "seq-mean-token-sum-norm": ["constant"],
}


def check(case, row_batch, agree, tolerance, aggregation):
    config, data, expected = case["config"], case["input"], case["expected"]
    batch, logprob_T = row_batch(data)
    padded = len(data["response_mask"][0])  # the official constant
    weigh = (
        partial(AGGREGATION[aggregation], norm_tokens=padded) if aggregation == "constant" else AGGREGATION[aggregation]
    )
    correction_T = torch.tensor(data.get("rollout_is_weights", [[1.0]]), dtype=torch.float64).flatten()
    batch = replace(batch, weight_T=weigh(batch) * correction_T)
    surrogate = partial(
        ppo_clip, clip_low=config["clip_low"], clip_high=config["clip_high"], clip_dual=config["dual_clip_c"]
    )
    loss, sums = total_loss(logprob_T, batch, surrogate=surrogate)
    loss.backward()
    agree(loss.detach(), expected["loss"], tolerance)
    agree(logprob_T.grad, expected["grad_log_prob"], tolerance)
    official, ours = expected["metrics"], sums.metrics()
    agree(ours["learn/approx_kl"], official["actor/ppo_kl"], tolerance)
    # Ours counts what both official fractions do, clipping and dual clipping: tokens that lose their gradient.
    agree(ours["learn/clip_fraction"], official["actor/pg_clipfrac"] + official["actor/pg_clipfrac_lower"], tolerance)


@pytest.mark.parametrize(("name", "num_cases"), [("loss_ppo", 14), ("loss_dapo", 3)])
def test_the_official_losses_gradients_and_metrics_are_matched(row_batch, vectors, agree, name, num_cases):
    stored = vectors(name)
    cases = [case for case in stored["cases"] if "log_prob" in case["input"]]
    assert len(cases) == num_cases
    for case in cases:
        for aggregation in AXES[case["config"]["agg"]]:
            check(case, row_batch, agree, stored["tolerance"], aggregation)


def ratios(tiny_batch, *values, advantage=1.0):
    """A batch with one token of each ratio, and the log-probabilities that give it."""
    batch = tiny_batch([[[0.0] * len(values)]])
    batch = replace(batch, advantage_T=batch.turn_to_token(torch.full((len(values),), advantage)))
    logprob_T = batch.sampled_logprob_T + batch.turn_to_token(torch.tensor(values, dtype=torch.float64).log())
    return batch, logprob_T.requires_grad_()


def values_and_gradients(loss_T, logprob_T, batch):
    (gradient_T,) = torch.autograd.grad(loss_T.sum(), logprob_T)
    assert not loss_T[~batch.action_T].any()
    assert not gradient_T[~batch.action_T].any()
    return loss_T[batch.action_T].tolist(), gradient_T[batch.action_T].tolist()


def test_an_advantage_gains_nothing_above_the_clip_and_a_disadvantage_nothing_below(tiny_batch):
    batch, logprob_T = ratios(tiny_batch, 0.5, 1.0, 1.25, 2.0)
    loss, gradient = values_and_gradients(ppo_clip(logprob_T, batch, clip_high=0.28), logprob_T, batch)
    assert loss == pytest.approx([-0.5, -1.0, -1.25, -1.28])
    assert gradient == pytest.approx([-0.5, -1.0, -1.25, 0])
    batch, logprob_T = ratios(tiny_batch, 0.5, 1.0, 2.0, 20.0, advantage=-1.0)
    loss, gradient = values_and_gradients(ppo_clip(logprob_T, batch, clip_dual=10.0), logprob_T, batch)
    assert loss == pytest.approx([0.8, 1.0, 2.0, 10.0])
    assert gradient == pytest.approx([0, 1.0, 2.0, 0])


def test_the_ratio_is_to_the_old_log_probabilities_where_there_are_any(tiny_batch):
    batch, logprob_T = ratios(tiny_batch, 1.1)
    batch = replace(batch, old_logprob_T=logprob_T.detach() - batch.turn_to_token(torch.tensor([0.5])))
    loss, _ = values_and_gradients(ppo_clip(logprob_T, batch, clip_high=9.0), logprob_T, batch)
    assert loss == pytest.approx([-(2.718281828459045**0.5)])


def test_an_absurd_ratio_stays_finite(tiny_batch):
    batch, logprob_T = ratios(tiny_batch, 1e300, advantage=-1.0)
    loss, gradient = values_and_gradients(ppo_clip(logprob_T, batch), logprob_T, batch)
    assert loss == pytest.approx([2.718281828459045**20])
    assert gradient == [0]


def test_reinforce_is_the_log_probability_times_minus_the_advantage(tiny_batch):
    batch, logprob_T = ratios(tiny_batch, 0.5, 3.0, advantage=-2.0)
    loss, gradient = values_and_gradients(reinforce(logprob_T, batch), logprob_T, batch)
    assert loss == pytest.approx((2 * logprob_T[batch.action_T]).tolist())
    assert gradient == [2, 2]


def test_a_surrogate_without_credit_says_what_is_missing(tiny_batch):
    batch = tiny_batch([[[0.0]]])
    with pytest.raises(AssertionError, match="assign credit before the loss"):
        ppo_clip(batch.sampled_logprob_T, batch)


def test_the_loss_of_gpg_is_that_of_reinforce(official):
    assert official("loss_misc_verl", lambda config: reinforce, "token_mean", prefix="gpg") == 1


def test_advantages_count_by_their_sign(tiny_batch):
    for sign, weight in ((1.0, 0.25), (-1.0, 2.0)):
        batch, logprob_T = ratios(tiny_batch, 0.7, 1.0, 1.5, advantage=sign)
        plain = values_and_gradients(ppo_clip(logprob_T, batch), logprob_T, batch)
        weighed_T = signed_clip(logprob_T, batch, positive_weight=0.25, negative_weight=2.0)
        for got, expected in zip(values_and_gradients(weighed_T, logprob_T, batch), plain, strict=True):
            assert got == pytest.approx([weight * value for value in expected])
