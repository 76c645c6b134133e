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


def clip_loss(
    ratio_T: Tensor, batch: Batch, *, low: float | Tensor, high: float | Tensor, dual: float | None = None
) -> Tensor:
    """Minus advantage times ratio; the ratio gains nothing below `low` and above `high`.

    Args:
        ratio_T: With its graph.
        batch: With advantages.
        low: The least ratio that a disadvantage gains by; a number, or one for each token.
        high: The largest ratio that an advantage gains by.
        dual: What a token of negative advantage costs at most, in units of its advantage; None: no limit.

    Shapes: ratio_T [T]; returns loss_T [T], unreduced.
    Source: arXiv 1707.06347 eq. 7; dual: 1912.09729; verl core_algos.py, compute_policy_loss_vanilla.
    """
    advantage_T = advantage(batch)
    clipped_T = ratio_T.clamp(min=low).clamp(max=high)
    loss_T = torch.maximum(-advantage_T * ratio_T, -advantage_T * clipped_T)
    return loss_T if dual is None else dual_clip(loss_T, advantage_T, dual)


def dual_clip(loss_T: Tensor, advantage_T: Tensor, dual: float) -> Tensor:
    """The loss, where the advantage is negative at most `dual` times its size.

    Shapes: loss_T, advantage_T [T]; returns [T].
    Source: arXiv 1912.09729; verl core_algos.py, compute_policy_loss_vanilla.
    """
    return torch.where(advantage_T < 0, torch.minimum(loss_T, -advantage_T * dual), loss_T)


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
    return clip_loss(ratio_T, batch, low=1 - clip_low, high=1 + clip_high, dual=clip_dual)


def signed_clip(
    logprob_T: Tensor,
    batch: Batch,
    *,
    positive_weight: float = 0.1,
    negative_weight: float = 1.0,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
) -> Tensor:
    """The clipped loss, in which advantages count by their sign: what fails is unlearnt more than what works is learnt.

    Args:
        logprob_T: Of the policy that is trained.
        batch: With advantages.
        positive_weight: What a positive advantage counts (lambda); 0: negative samples alone.
        negative_weight: What a negative one counts; 0: positive samples alone.
        clip_low: As in `ppo_clip`.
        clip_high: As in `ppo_clip`.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2506.01347 (W-REINFORCE); RLVR-Decomposed core_algos.py, compute_psr_nsr_outcome_advantage. Checked:
        the code was read, not run.
    Differs: it weighs whatever credit there is, where the paper's advantages are 1 for a right answer and -1 for a
        wrong one, without a baseline.
    """
    loss_T = ppo_clip(logprob_T, batch, clip_low=clip_low, clip_high=clip_high)
    return torch.where(advantage(batch) > 0, positive_weight * loss_T, negative_weight * loss_T)


def reinforce(logprob_T: Tensor, batch: Batch) -> Tensor:
    """Minus advantage times log-probability.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: Williams 1992, Machine Learning 8 (REINFORCE); verl core_algos.py, compute_policy_loss_gpg (the loss of GPG,
        arXiv 2504.02546).
    Differs: no ratio, so it is right for the policy that sampled alone: one optimizer step per batch, no policy lag.
    """
    return torch.where(batch.action_T, -advantage(batch) * logprob_T, 0)
