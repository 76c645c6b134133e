"""Surrogates in which the ratio is a weight without a gradient: clipping it silences no token."""

import torch
from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.losses.ratio import advantage, log_ratio
from agentrl.learning.segments import segment_first

_FLOOR = 1e-8  # of a probability inside a logarithm
_GAP = 100.0  # more than log ratios can differ by


def cispo(logprob_T: Tensor, batch: Batch, *, clip_low: float = 1.0, clip_high: float = 0.2) -> Tensor:
    """Minus advantage times log-probability, weighed by the ratio within 1 - `clip_low` and 1 + `clip_high`.

    A `clip_low` of 1 or more is no lower bound, since ratios are positive. TRL's loss of the same name has no lower
    bound, and its `epsilon_high` is the upper bound itself: `epsilon_high=5` there is `clip_high=4` here. That is why
    there is no keyword of its own for it.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2506.13585, eq. 4 and 5; verl core_algos.py, compute_policy_loss_cispo.
    """
    weight_T = log_ratio(logprob_T.detach(), batch).exp().clamp(1 - clip_low, 1 + clip_high)
    return _weighted(weight_T, logprob_T, batch)


def minpro(logprob_T: Tensor, batch: Batch, *, clip_low: float = 1.0, clip_high: float = 0.2) -> Tensor:
    """Minus advantage times log-probability, weighed by the ratio times the least ratio before it in its sequence.

    The product of all ratios before a token is what importance sampling asks for, and varies beyond use; the least of
    them stands for it. Before the first sampled token it is 1. The weight is kept within 1 - `clip_low` and
    1 + `clip_high`, as in `cispo`.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2601.22718. Checked: from the paper's abstract and a summary of it alone; that the weight is clipped
        and has no gradient, and where it is clipped, could not be verified.
    """
    ratio_T = log_ratio(logprob_T.detach(), batch)
    weight_T = torch.zeros_like(ratio_T)
    sequence_N = batch.sequence_T[batch.action_T]
    weight_T[batch.action_T] = ratio_T[batch.action_T] + _least_before(ratio_T[batch.action_T], sequence_N)
    return _weighted(weight_T.exp().clamp(1 - clip_low, 1 + clip_high), logprob_T, batch)


def dppo_tv(
    logprob_T: Tensor, batch: Batch, *, clip_low: float = 0.15, clip_high: float = 0.15, max_ratio: float = 20.0
) -> Tensor:
    """As `cispo`, without the tokens whose probability has moved too far already, in the direction they pull.

    Args:
        logprob_T: Of the policy that is trained.
        batch: With advantages.
        clip_low: How much probability a token of negative advantage may have lost.
        clip_high: How much one of positive advantage may have gained.
        max_ratio: The weight's upper bound.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2602.04879 (binary total variation); verl core_algos.py, compute_policy_loss_dppo_tv.
    """
    gain_T = logprob_T.detach().exp() - batch.behavior_logprob_T.exp()
    near_T = torch.where(advantage(batch) > 0, gain_T <= clip_high, gain_T >= -clip_low)
    return _weighted(log_ratio(logprob_T.detach(), batch).exp().clamp(max=max_ratio) * near_T, logprob_T, batch)


def dppo_kl(
    logprob_T: Tensor, batch: Batch, *, clip_low: float = 0.05, clip_high: float = 0.05, max_ratio: float = 20.0
) -> Tensor:
    """As `dppo_tv`, with the KL divergence between "this token" and "any other" for how far it has moved.

    Args:
        logprob_T: Of the policy that is trained.
        batch: With advantages.
        clip_low: The largest divergence, in nats, at which a token of negative advantage may lose more.
        clip_high: The largest at which one of positive advantage may gain more.
        max_ratio: The weight's upper bound.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2602.04879 (binary KL); verl core_algos.py, compute_policy_loss_dppo_kl.
    """
    logprob, old_logprob = logprob_T.detach(), batch.behavior_logprob_T
    old_T, now_T = old_logprob.exp(), logprob.exp()
    others_T = (1 - old_T) * ((1 - old_T + _FLOOR) / (1 - now_T + _FLOOR)).log()
    kl_T = old_T * (old_logprob - logprob) + others_T
    may_gain_T, may_lose_T = (kl_T <= clip_high) | (now_T <= old_T), (kl_T <= clip_low) | (now_T >= old_T)
    near_T = torch.where(advantage(batch) > 0, may_gain_T, may_lose_T)
    return _weighted(log_ratio(logprob, batch).exp().clamp(max=max_ratio) * near_T, logprob_T, batch)


def _weighted(weight_T: Tensor, logprob_T: Tensor, batch: Batch) -> Tensor:
    return torch.where(batch.action_T, -weight_T * advantage(batch) * logprob_T, 0)


def _least_before(x_N: Tensor, index_N: Tensor) -> Tensor:
    """The least of the segment's elements before each, of which none exceeds +-_GAP / 2; 0 before the first.

    Each segment is moved below the one before it, so that a running minimum over all of them starts anew in each.

    Shapes: x_N [N], index_N [N] int64, non-decreasing; returns [N].
    """
    if not x_N.numel():
        return x_N
    offset_N = _GAP * index_N.double()
    least_N = (x_N.double() - offset_N).cummin(0).values.roll(1) + offset_N
    return torch.where(segment_first(index_N), 0, least_N).to(x_N.dtype)
