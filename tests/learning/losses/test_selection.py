from dataclasses import replace
from functools import partial

import pytest
import torch

from agentrl.errors import ConfigError
from agentrl.learning.batch import drop_idle
from agentrl.learning.losses.selection import bounded_covariance, high_entropy, kept_clip, kl_cov, largest_covariance


def sampled(batch, column_T) -> list[bool]:
    assert not column_T[~batch.action_T].any()
    return column_T[batch.action_T].tolist()


def test_kl_cov_is_the_official_one(official):
    def prepare(case, batch):
        return largest_covariance(batch, share=case["config"]["kl_cov_ratio"])

    surrogate = lambda config: partial(kl_cov, penalty=config["ppo_kl_coef"])  # noqa: E731
    assert official("loss_misc_verl", surrogate, "token_mean", prefix="klcov", prepare=prepare) == 2


def with_logprobs(with_ratios, advantages, logprobs):
    """One token for each; the policy before the step is the one that sampled."""
    batch, _ = with_ratios(*[1.0] * len(logprobs), advantage=torch.tensor(advantages))
    logprob_T = torch.zeros_like(batch.sampled_logprob_T)
    logprob_T[batch.action_T] = torch.tensor(logprobs, dtype=torch.float64)
    return replace(batch, sampled_logprob_T=logprob_T, step_logprob_T=logprob_T)


# Around the means 0.5 and -2, the products are 2, -1, -0.5, 0.5, 1, 1.25.
ADVANTAGES, LOGPROBS = [2.5, 1.5, -0.5, 0.0, 1.5, -2.0], [-1.0, -3.0, -1.5, -3.0, -1.0, -2.5]


def test_covariances_by_hand(with_ratios):
    batch = with_logprobs(with_ratios, ADVANTAGES, LOGPROBS)
    assert sampled(batch, largest_covariance(batch, share=0.2).penalized_T) == [True, *[False] * 5]
    assert sampled(batch, largest_covariance(batch, share=0.5).penalized_T) == [True, False, False, False, True, True]
    assert sampled(batch, largest_covariance(batch, share=1e-9).penalized_T) == [True, *[False] * 5]
    assert sampled(batch, largest_covariance(batch, share=1.0).penalized_T) == [True, False, False, True, True, True]
    alike = replace(batch, advantage_T=2.0 * batch.action_T)
    assert not largest_covariance(alike, share=1.0).penalized_T.any()


def test_the_marked_tokens_alone_are_held(with_ratios, of_tokens):
    batch, logprob_T = with_ratios(1.5, 1.5, 0.5, advantage=torch.tensor([1.0, 0.0, 0.0]))
    marked_T = torch.zeros_like(batch.action_T)
    marked_T[batch.action_T] = torch.tensor([False, True, True])
    values, gradients = of_tokens(partial(kl_cov, penalty=2.0), logprob_T, replace(batch, penalized_T=marked_T))
    assert values == pytest.approx([-1.5, 2 * 0.4054651081081644, 2 * 0.6931471805599453])
    assert gradients == pytest.approx([-1.5, 2.0, -2.0])


def test_a_marked_token_keeps_its_sequence_from_being_idle(tiny_batch):
    batch = tiny_batch([[[0.0], [0.0], [0.0]]])
    advantage_T = batch.turn_to_token(torch.tensor([1.0, 0.0, 0.0]))
    batch = replace(batch, advantage_T=advantage_T, weight_T=batch.action_T.double())
    assert drop_idle(batch).num_trajectories == 1
    marked = replace(batch, penalized_T=batch.action_T & (batch.turn_T == 2))
    assert drop_idle(marked).num_trajectories == 2


def test_clip_cov_drops_tokens_within_the_bounds_that_are_not_clipped_anyway(with_ratios, of_tokens):
    batch = with_logprobs(with_ratios, ADVANTAGES, LOGPROBS)
    drop = partial(bounded_covariance, covariance_low=0.4, covariance_high=1.5)
    assert sampled(batch, drop(batch, share=1.0).kept_T) == [True, True, True, False, False, False]
    one = sampled(batch, drop(batch, share=1e-9).kept_T)
    assert one.count(False) == 1
    assert one.index(False) in (3, 4, 5)
    clipped = replace(batch, step_logprob_T=batch.step_logprob_T + 0.5 * batch.action_T)
    assert sampled(batch, drop(clipped, share=1.0).kept_T) == [True, True, True, False, True, False]
    batch = drop(batch, share=1.0)
    _, gradients = of_tokens(kept_clip, batch.sampled_logprob_T.clone().requires_grad_(), batch)
    assert gradients == pytest.approx([-2.5, -1.5, 0.5, 0.0, 0.0, 0.0])


def test_what_clip_cov_drops_is_spread_over_the_candidates(tiny_batch):
    generator = torch.Generator().manual_seed(0)
    batch = tiny_batch([[[{"num_actions": 400}]]])
    logprob_T = torch.where(batch.action_T, -3 * torch.rand(401, generator=generator, dtype=torch.float64), 0)
    sign_T = torch.where(logprob_T > -1.5, 4.0, -4.0).double() * batch.action_T
    batch = replace(batch, advantage_T=sign_T, sampled_logprob_T=logprob_T, step_logprob_T=logprob_T)
    dropped_T = ~bounded_covariance(batch, share=0.1).kept_T & batch.action_T
    assert int(dropped_T.sum()) == 40
    quarters = dropped_T[batch.action_T].view(4, 100).sum(1)
    assert quarters.min() >= 5
    mean_of_candidates = logprob_T[bounded_covariance(batch, share=1.0).kept_T.logical_not()].abs().mean()
    assert logprob_T[dropped_T].abs().mean() == pytest.approx(float(mean_of_candidates), rel=0.2)


def test_the_share_of_least_sure_tokens_is_over_all_trajectories(tiny_batch, of_tokens):
    batch = tiny_batch([[[{"num_actions": 3}], [{"num_actions": 4}]]])
    entropy_T = torch.full_like(batch.sampled_logprob_T, 99.0)
    entropy_T[batch.action_T] = torch.tensor([0.1, 2.0, 3.0, 0.2, 0.3, 1.0, 2.0]).double()
    batch = replace(batch, entropy_T=entropy_T, advantage_T=batch.action_T.double())
    kept = sampled(batch, high_entropy(batch).kept_T)  # two of seven, and a tie
    assert kept == [False, True, True, False, False, False, True]
    assert sampled(batch, high_entropy(batch, share=0.1).kept_T) == [False, False, True, *[False] * 4]
    assert sampled(batch, high_entropy(batch, share=0.0).kept_T) == [False] * 7
    assert sampled(batch, high_entropy(batch, share=1.0).kept_T) == [True] * 7
    _, gradients = of_tokens(kept_clip, batch.sampled_logprob_T.clone().requires_grad_(), high_entropy(batch))
    assert gradients == [-1.0 if is_kept else 0.0 for is_kept in kept]


def test_what_is_missing_is_named(with_ratios):
    batch, logprob_T = with_ratios(1.0)
    with pytest.raises(ConfigError, match="choose the `survey` that selects them"):
        kept_clip(logprob_T, batch)
    with pytest.raises(ConfigError, match="choose the `survey` that marks them"):
        kl_cov(logprob_T, batch)
    with pytest.raises(ConfigError, match="needs_entropies=True"):
        high_entropy(batch)
    for survey in (largest_covariance, bounded_covariance):
        with pytest.raises(ConfigError, match="needs_step_logprobs = true"):
            survey(replace(batch, step_logprob_T=None))


def test_a_batch_in_which_nothing_was_sampled_has_nothing_selected(tiny_batch):
    batch = tiny_batch([[[{"num_actions": 0}]]])
    zero_T = torch.zeros_like(batch.sampled_logprob_T)
    batch = replace(batch, step_logprob_T=zero_T, entropy_T=zero_T, advantage_T=zero_T)
    assert not high_entropy(batch).kept_T.any()
    assert not largest_covariance(batch).penalized_T.any()
    assert not bounded_covariance(batch).kept_T.any()
