"""Surrogates that weigh a token's advantage by how much likelier the policy has made the token."""

import torch
from torch import Tensor

from agentrl.learning.batch import Batch

_MAX_LOG_RATIO = 20.0


def log_ratio(logprob_T: Tensor, batch: Batch) -> Tensor:
    """Log of the policy's probability over that of `batch.behavior_logprob_T`, clamped to +-20; 0 off-action.

    Shapes: logprob_T [T]; returns [T].
    Source: verl core_algos.py, compute_policy_loss_vanilla.
    """
    difference_T = logprob_T - batch.behavior_logprob_T
    return torch.where(batch.action_T, difference_T, 0).clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO)


def advantage(batch: Batch) -> Tensor:
    """The batch's advantages, which must have been assigned.

    Shapes: returns advantage_T [T].
    Source: the batch's own column.
    """
    assert batch.advantage_T is not None, "assign credit before the loss: replace(batch, advantage_T=credit(batch))"
    return batch.advantage_T


def ppo_clip(
    logprob_T: Tensor,
    batch: Batch,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    clip_dual: float | None = None,
) -> Tensor:
    """Minus advantage times ratio; the ratio gains nothing beyond 1 - `clip_low` and 1 + `clip_high`.

    With `clip_dual`, a token of negative advantage never costs more than `clip_dual` times it.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 1707.06347 eq. 7; asymmetric: 2503.14476 eq. 8; dual: 1912.09729; verl core_algos.py,
        compute_policy_loss_vanilla.
    Differs: no dual clip unless asked for, where the reference code has one at 3.
    """
    ratio_T = log_ratio(logprob_T, batch).exp()
    advantage_T = advantage(batch)
    clipped_T = ratio_T.clamp(1 - clip_low, 1 + clip_high)
    loss_T = torch.maximum(-advantage_T * ratio_T, -advantage_T * clipped_T)
    if clip_dual is None:
        return loss_T
    return torch.where(advantage_T < 0, torch.minimum(loss_T, -advantage_T * clip_dual), loss_T)


def reinforce(logprob_T: Tensor, batch: Batch) -> Tensor:
    """Minus advantage times log-probability.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: Williams 1992, Machine Learning 8 (REINFORCE).
    Differs: no ratio, so it is right for the policy that sampled alone: one optimizer step per batch, no policy lag.
    """
    return torch.where(batch.action_T, -advantage(batch) * logprob_T, 0)
