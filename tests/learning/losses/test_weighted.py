from functools import partial

import pytest
import torch

from agentrl.learning.losses.weighted import cispo, dppo_kl, dppo_tv, minpro


def test_cispo_is_the_official_one(official):
    surrogate = lambda config: partial(cispo, clip_low=config["clip_low"], clip_high=config["clip_high"])  # noqa: E731
    assert official("loss_cispo", surrogate, "token_mean") == 3


def test_dppo_is_the_official_one(official):
    def tv(config):
        return partial(dppo_tv, clip_low=config["tv_low"], clip_high=config["tv_high"], max_ratio=config["ratio_cap"])

    def kl(config):
        return partial(dppo_kl, clip_low=config["kl_low"], clip_high=config["kl_high"], max_ratio=config["ratio_cap"])

    assert official("loss_misc_verl", tv, "token_mean", prefix="dppo_tv") == 1
    assert official("loss_misc_verl", kl, "token_mean", prefix="dppo_kl") == 2


def test_cispo_bounds_the_weight_and_silences_no_token(with_ratios, of_tokens):
    batch, logprob_T = with_ratios(0.1, 1.0, 1.5, 8.0, advantage=2.0)
    values, gradients = of_tokens(partial(cispo, clip_high=1.0), logprob_T, batch)
    assert gradients == pytest.approx([-0.2, -2.0, -3.0, -4.0])
    logprobs = logprob_T[batch.action_T].tolist()
    assert values == pytest.approx([slope * logprob for slope, logprob in zip(gradients, logprobs, strict=True)])


def test_minpro_multiplies_by_the_least_ratio_before(with_ratios, of_tokens):
    batch, logprob_T = with_ratios(1.1, 0.5, 2.0, 0.8, 1.0)
    _, gradients = of_tokens(partial(minpro, clip_high=0.05), logprob_T, batch)
    assert gradients == pytest.approx([-1.05, -0.55, -1.0, -0.4, -0.5])


def test_minpro_begins_anew_in_each_sequence_and_skips_observations(tiny_batch, of_tokens):
    turns = [{"num_actions": 2, "num_context": 2}, {"num_actions": 2, "opens_sequence": True}]
    batch, ratios = tiny_batch([[turns, turns]]), torch.tensor([2.0, 3.0, 0.5, 1.0, 4.0, 0.1, 5.0, 2.0]).double()
    logprob_T = batch.sampled_logprob_T.clone()
    logprob_T[batch.action_T] += ratios.log()
    batch = type(batch)(
        **{name: getattr(batch, name) for name in batch.__slots__} | {"advantage_T": batch.action_T.double()}
    )
    _, gradients = of_tokens(partial(minpro, clip_high=99.0), logprob_T.requires_grad_(), batch)
    assert gradients == pytest.approx([-2.0, -6.0, -0.5, -0.5, -4.0, -0.4, -5.0, -10.0])


def test_dppo_leaves_out_what_has_moved_too_far_the_way_it_pulls(tiny_batch, with_ratios, of_tokens):
    batch, _ = with_ratios(1.0, 1.0, 1.0, 1.0)
    probability_T = batch.sampled_logprob_T.exp()
    moved_T = torch.zeros_like(probability_T)
    moved_T[batch.action_T] = torch.tensor([0.1, 0.2, -0.1, -0.2]).double()
    logprob_T = torch.where(batch.action_T, (probability_T + moved_T).log(), 0)
    for sign, silent in ((1.0, [1]), (-1.0, [3])):
        batch, _ = with_ratios(1.0, 1.0, 1.0, 1.0, advantage=sign)
        for surrogate in (dppo_tv, partial(dppo_kl, clip_low=0.05, clip_high=0.05)):
            _, gradients = of_tokens(surrogate, logprob_T.clone().requires_grad_(), batch)
            assert [n for n, gradient in enumerate(gradients) if gradient == 0] == silent
            ratio = (logprob_T - batch.sampled_logprob_T).exp()[batch.action_T]
            kept = [n for n in range(4) if n not in silent]
            assert [gradients[n] for n in kept] == pytest.approx([-sign * float(ratio[n]) for n in kept])
