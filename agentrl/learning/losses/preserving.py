"""Surrogates with the value of a clipped loss, in which tokens beyond the bounds keep a gradient of bounded size."""

import torch
from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.losses.ratio import advantage, clip_loss, dual_clip, log_ratio


def ce_gppo(
    logprob_T: Tensor,
    batch: Batch,
    *,
    low_weight: float = 0.75,
    high_weight: float = 1.0,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    clip_dual: float | None = 10.0,
) -> Tensor:
    """The clipped loss, where a clipped token keeps the gradient that it has at the bound, times a weight.

    Args:
        logprob_T: Of the policy that is trained.
        batch: With advantages.
        low_weight: Of tokens with a negative advantage and a ratio below 1 - `clip_low` (beta_1): less of it lowers
            the entropy more slowly than none. It multiplies the loss's value too.
        high_weight: Of tokens with a positive advantage and a ratio above 1 + `clip_high` (beta_2).
        clip_low: As in `ppo_clip`.
        clip_high: As in `ppo_clip`.
        clip_dual: As in `ppo_clip`; tokens that it limits have no gradient.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2509.20712 (CE-GPPO); with both weights 1: 2508.07629 (GPPO); Kwai-Klear/CE-GPPO core_algos.py,
        compute_gppo_loss_general_beta.
    """
    ratio_T, advantage_T = log_ratio(logprob_T, batch).exp(), advantage(batch)
    one_T = ratio_T / ratio_T.detach()
    low_T = (advantage_T < 0) & (ratio_T < 1 - clip_low)
    high_T = (advantage_T > 0) & (ratio_T > 1 + clip_high)
    kept_T = torch.where(low_T, low_weight * (1 - clip_low) * one_T, ratio_T)
    kept_T = torch.where(high_T, high_weight * (1 + clip_high) * one_T, kept_T)
    loss_T = -advantage_T * kept_T
    return loss_T if clip_dual is None else dual_clip(loss_T, advantage_T, clip_dual)


def entropy_balanced_clip(
    logprob_T: Tensor,
    batch: Batch,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    clip_dual: float | None = 3.0,
) -> Tensor:
    """The clipped loss, where a token of positive advantage above the upper bound keeps the gradient it has there.

    Such tokens are those that the policy was least sure of, where exploring goes on.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2510.14545 (AEPO), section 3.3; ARPO repository, AEPO core_algos.py,
        compute_policy_loss_entropy_balanced_clipping. As in that code, no entropy enters.
    Differs: the entropy-aware advantages, part of the same official function, are credit here (`aepo`).
    """
    ratio_T = log_ratio(logprob_T, batch).exp()
    high_T = (1 + clip_high) * ratio_T / ratio_T.detach()
    return clip_loss(ratio_T, batch, low=1 - clip_low, high=high_T, dual=clip_dual)
