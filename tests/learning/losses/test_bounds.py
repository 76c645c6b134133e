from dataclasses import replace
from functools import partial

import pytest
import torch

from agentrl.errors import ConfigError
from agentrl.learning.losses.bounds import (
    balanced_bounds,
    bounded_clip,
    dynamic_bounds,
    dynamic_clip,
    entropy_bounds,
    flipped_clip,
)


def test_bapo_is_the_official_one_and_so_are_its_bounds(official, agree):
    def prepare(case, batch):
        config, chosen = case["config"], case["expected"]["chosen"]
        low, high = (
            tuple(config[f"ratio_{side}_{part}"] for part in ("start", "max", "step")) for side in ("lower", "upper")
        )
        batch = balanced_bounds(batch, target=config["adv_ratio_target"], low=low, high=high)
        agree(batch.bound_low_T, [chosen["clip_low"]] * batch.num_tokens, 1e-9)
        agree(batch.bound_high_T, [chosen["clip_high"]] * batch.num_tokens, 1e-9)
        return batch

    surrogate = lambda config: partial(bounded_clip, clip_dual=config["dual_clip_c"])  # noqa: E731
    assert official("loss_bapo", surrogate, "token_mean", prepare=prepare) == 3


def test_aspo_is_the_official_one(official):
    def prepare(case, batch):
        """The bounds of the case's own marks, which its entropies do not give."""
        config = case["config"]
        sure_T = torch.tensor(case["input"]["official_mask_named_high_entropy"]).flatten() > 0
        low_T, high_T = (
            torch.where(
                sure_T,
                config[f"{sign}_low_entropy_clip_ratio_{side}"],
                config[f"{sign}_high_entropy_clip_ratio_{side}"],
            )
            for sign, side in (("negative", "low"), ("positive", "high"))
        )
        return replace(batch, bound_low_T=1 - low_T.double(), bound_high_T=1 + high_T.double())

    def surrogate(config):
        duals = {f"{sign}_dual": config[f"{sign}_clip_ratio_c"] for sign in ("positive", "negative")}
        return partial(flipped_clip, **duals)

    assert official("loss_aspo", surrogate, "token_mean", prepare=prepare) == 3


def test_the_bounds_of_dcpo_are_the_official_ones(vectors, agree):
    stored = vectors("dcpo_clip")
    (case,) = [case for case in stored["cases"] if case["name"] == "clip-bounds"]
    config, old_T = case["config"], torch.tensor(case["input"]["old_prob"], dtype=torch.float64)
    low_T, high_T = dynamic_bounds(old_T, config["eps_low"], config["eps_high"], config["r_max"])
    agree(low_T, case["expected"]["ratio_low"], stored["tolerance"])
    agree(high_T, case["expected"]["ratio_high"], stored["tolerance"])


def test_a_rare_token_may_move_further_than_a_common_one(with_ratios, of_tokens):
    batch, logprob_T = with_ratios(1.5, 1.5)
    old_T = torch.zeros_like(batch.sampled_logprob_T)
    old_T[batch.action_T] = torch.tensor([0.01, 0.6]).double().log()
    logprob_T = (old_T + (logprob_T - batch.sampled_logprob_T).detach()).requires_grad_()
    values, gradients = of_tokens(dynamic_clip, logprob_T, replace(batch, sampled_logprob_T=old_T))
    bound = (1 + (1 + 0.8 / 0.6) ** 0.5) / 2
    assert bound < 1.5
    assert values == pytest.approx([-1.5, -bound])
    assert gradients == pytest.approx([-1.5, 0.0])


def test_an_advantage_is_weighed_by_one_over_the_ratio(with_ratios, of_tokens):
    batch, logprob_T = with_ratios(0.25, 0.5, 1.1, 1.3, advantage=2.0)
    batch = replace(batch, bound_low_T=torch.full_like(logprob_T, 0.8), bound_high_T=torch.full_like(logprob_T, 1.2))
    _, gradients = of_tokens(flipped_clip, logprob_T, batch)
    assert gradients == pytest.approx([-2 * 3.0, -2 / 0.5, -2 / 1.1, 0.0])
    batch = replace(batch, advantage_T=-batch.advantage_T)
    _, gradients = of_tokens(partial(flipped_clip, negative_dual=1.2), logprob_T, batch)
    assert gradients == pytest.approx([0.0, 0.0, 2 * 1.1, 2 * 1.2])


def test_bounds_are_only_widened_as_far_as_needed_and_lower_ones_first(with_ratios):
    batch, _ = with_ratios(2.0, 0.5, advantage=torch.tensor([1.0, -1.0]))
    for target, expected in ((1.9, (0.6, 1.2)), (2.2, (0.6, 1.4)), (9.0, (0.6, 1.5))):
        bounded = balanced_bounds(batch, target=target, low=(0.6, 0.6, 0.05), high=(1.2, 1.5, 0.1))
        assert (float(bounded.bound_low_T[0]), float(bounded.bound_high_T[0])) == pytest.approx(expected), target
    bounded = balanced_bounds(batch, target=9.0)
    assert (float(bounded.bound_low_T[0]), float(bounded.bound_high_T[0])) == pytest.approx((0.9, 3.0))


def test_without_disadvantages_bounds_stay_where_they_start(with_ratios):
    batch, _ = with_ratios(1.0, 1.0)
    bounded = balanced_bounds(batch, target=9.0)
    assert bounded.bound_low_T.unique().tolist() == pytest.approx([0.6])
    assert bounded.bound_high_T.unique().tolist() == pytest.approx([1.2])


def test_bounds_are_wider_where_the_policy_was_unsure_for_its_trajectory(tiny_batch):
    batch = tiny_batch([[[{"num_actions": 5}], [{"num_actions": 2}, {"num_actions": 0}, {"num_actions": 1}]]])
    entropy_T = torch.full_like(batch.sampled_logprob_T, 99.0)  # off-action it must not matter
    entropy_T[batch.action_T] = torch.tensor([5.0, 1.0, 4.0, 2.0, 3.0, 10.0, 30.0, 20.0]).double()
    bounded = entropy_bounds(replace(batch, entropy_T=entropy_T), quantile=0.6)
    wide = [True, False, True, False, False, False, True, False]  # above 3.4, and above 22
    assert (bounded.bound_low_T[batch.action_T] < 0.7).tolist() == wide
    assert bounded.bound_high_T[batch.action_T].tolist() == pytest.approx([1.4 if is_wide else 1.2 for is_wide in wide])


def test_the_quantile_is_that_of_torch(tiny_batch):
    generator = torch.Generator().manual_seed(0)
    batch = tiny_batch([[[{"num_actions": n}] for n in (1, 7, 12)]])
    entropy_T = torch.rand(batch.num_tokens, generator=generator, dtype=torch.float64)
    for quantile in (0.0, 0.31, 0.8, 1.0):
        bounded = entropy_bounds(replace(batch, entropy_T=entropy_T), quantile=quantile)
        for trajectory in range(3):
            own_T = batch.action_T & (batch.trajectory_T == trajectory)
            expected = entropy_T[own_T] > entropy_T[own_T].quantile(quantile)
            assert torch.equal(bounded.bound_high_T[own_T] > 1.3, expected)


def test_what_is_missing_is_named(with_ratios):
    batch, logprob_T = with_ratios(1.0)
    for surrogate in (bounded_clip, flipped_clip):
        with pytest.raises(ConfigError, match="choose the `survey` that sets them"):
            surrogate(logprob_T, batch)
    with pytest.raises(ConfigError, match="needs_step_logprobs = true"):
        balanced_bounds(replace(batch, step_logprob_T=None))
    with pytest.raises(ConfigError, match="needs_entropies=True"):
        entropy_bounds(batch)
    with pytest.raises(ConfigError, match=r"its first value, its last, and a step; got \[0.6, 0.9\]"):
        balanced_bounds(batch, low=[0.6, 0.9])


def test_a_batch_in_which_nothing_was_sampled_has_bounds_too(tiny_batch):
    batch = tiny_batch([[[{"num_actions": 0}]]])
    zero_T = torch.zeros_like(batch.sampled_logprob_T)
    batch = replace(batch, step_logprob_T=zero_T, entropy_T=zero_T, advantage_T=zero_T)
    assert balanced_bounds(batch).bound_low_T.tolist() == [0.6]
    assert entropy_bounds(batch).bound_low_T.tolist() == pytest.approx([0.8])
