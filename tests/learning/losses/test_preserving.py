from dataclasses import replace
from functools import partial

import pytest

from agentrl.learning.losses import SURROGATE
from agentrl.learning.losses.preserving import ce_gppo, entropy_balanced_clip
from agentrl.learning.losses.ratio import ppo_clip


def clip(config):
    return {
        "clip_low": config["clip_low"],
        "clip_high": config["clip_high"],
        "clip_dual": config["dual_clip_c"],
    }


def test_ce_gppo_is_the_official_one(official):
    def surrogate(config):
        return partial(ce_gppo, low_weight=config["beta1"], high_weight=config["beta2"], **clip(config))

    assert official("loss_ce_gppo", surrogate, "token_mean") == 4


def test_aepo_is_the_official_one(official):
    def surrogate(config):
        return partial(entropy_balanced_clip if config["entropy_balanced_clipping"] else ppo_clip, **clip(config))

    def prepare(case, batch):
        """The entropy-aware advantages, which belong to the same official function, over the whole batch."""
        if not case["config"]["entropy_balanced_advantage"]:
            return batch
        entropy_N = batch.entropy_T[batch.action_T]
        standard_T = (batch.entropy_T - entropy_N.mean()) / entropy_N.std()
        return replace(batch, advantage_T=batch.advantage_T * (1 + case["config"]["entropy_adv_coef"] * standard_T))

    assert official("aepo_loss", surrogate, "token_mean", prepare=prepare) == 5


def test_gppo_keeps_the_gradient_of_the_bound(with_ratios, of_tokens):
    batch, logprob_T = with_ratios(0.5, 1.0, 1.5)
    values, gradients = of_tokens(SURROGATE["gppo"], logprob_T, batch)
    assert values == pytest.approx([-0.5, -1.0, -1.2])
    assert gradients == pytest.approx([-0.5, -1.0, -1.2])
    batch, logprob_T = with_ratios(0.5, 1.0, 1.5, 20.0, advantage=-1.0)
    values, gradients = of_tokens(SURROGATE["gppo"], logprob_T, batch)
    assert values == pytest.approx([0.8, 1.0, 1.5, 10.0])
    assert gradients == pytest.approx([0.8, 1.0, 1.5, 0.0])


def test_entropy_balanced_clipping_keeps_it_for_advantages_alone(with_ratios, of_tokens):
    for sign, kept in ((1.0, [-0.5, -1.0, -1.2]), (-1.0, [0.0, 1.0, 1.5])):
        batch, logprob_T = with_ratios(0.5, 1.0, 1.5, advantage=sign)
        values, gradients = of_tokens(entropy_balanced_clip, logprob_T, batch)
        assert gradients == pytest.approx(kept)
        assert values == pytest.approx(of_tokens(ppo_clip, logprob_T, batch)[0])
