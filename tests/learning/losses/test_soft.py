from functools import partial

import pytest
import torch

from agentrl.learning.losses.soft import quadratic, sapo


def test_sapo_is_the_official_one(official):
    def surrogate(config):
        return partial(sapo, positive_temperature=config["tau_pos"], negative_temperature=config["tau_neg"])

    assert official("loss_misc_verl", surrogate, "trajectory_mean", prefix="sapo") == 1


def test_sapo_has_the_gradient_of_the_policy_at_a_ratio_of_1_and_lets_go_on_both_sides(with_ratios, of_tokens):
    for sign in (1.0, -1.0):
        batch, logprob_T = with_ratios(1.0, 0.25, 4.0, 12.0, advantage=sign)
        _, gradients = of_tokens(sapo, logprob_T, batch)
        assert gradients[0] == pytest.approx(-sign)
        slopes = [gradient / ratio for gradient, ratio in zip(gradients, (1.0, 0.25, 4.0, 12.0), strict=True)]
        assert abs(slopes[0]) > abs(slopes[1]) > abs(slopes[2]) > abs(slopes[3]) > 0


def test_spo_has_its_optimum_at_the_clip_and_pulls_back_beyond(with_ratios, of_tokens):
    batch, logprob_T = with_ratios(0.7, 1.0, 1.2, 1.5, advantage=2.0)
    values, gradients = of_tokens(quadratic, logprob_T, batch)
    assert values == pytest.approx([-1.4 + 0.45, -2.0, -2.4 + 0.2, -3.0 + 1.25])
    assert gradients == pytest.approx([-0.7 * (2 + 3.0), -2.0, 0.0, -1.5 * (2 - 5.0)], abs=1e-12)
    batch, logprob_T = with_ratios(0.5, 0.8, 1.0, advantage=-1.0)
    _, gradients = of_tokens(quadratic, logprob_T, batch)
    assert gradients == pytest.approx([-0.75, 0.0, 1.0], abs=1e-12)


def test_without_an_advantage_neither_loses_anything(with_ratios, of_tokens):
    for surrogate in (sapo, quadratic):
        batch, logprob_T = with_ratios(0.5, 2.0, advantage=torch.zeros(2))
        assert of_tokens(surrogate, logprob_T, batch) == ([0, 0], [0, 0])
