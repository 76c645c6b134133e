"""Surrogates whose ratio is of a whole sequence or turn: one action, instead of as many as it has tokens.

A unit must lie whole inside a micro-batch, and micro-batches keep sequences whole; hence never a trajectory, which may
have several.
"""

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.losses.ratio import advantage, clip_loss, log_ratio
from agentrl.learning.segments import segment_mean

Unit: TypeAlias = Literal["sequence", "turn"]

_MAX_LOG_MEAN_RATIO = 10.0


def gspo(
    logprob_T: Tensor, batch: Batch, *, over: Unit = "sequence", clip_low: float = 3e-4, clip_high: float = 4e-4
) -> Tensor:
    """The clipped loss, with the geometric mean of a unit's ratios for the ratio of each of its tokens.

    The value of that mean is shared, while each token's gradient is by its own log-probability: so tokens may have
    advantages of their own. With one advantage for the unit, it is the gradient of the mean itself.

    Args:
        logprob_T: Of the policy that is trained.
        batch: With advantages.
        over: What a unit is.
        clip_low: The mean ratio gains nothing below 1 - this.
        clip_high: Nor above 1 + this.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2507.18071, eq. 5, 7 and 14 (GSPO-token); verl core_algos.py, compute_policy_loss_gspo.
    Differs: each token's log ratio is clamped to +-20 before the mean; the reference code clamps the mean alone, to at
        most 10, which is done too. `over="turn"` is ours. The paper's weights are those of `sequence_mean`.
    """
    mean_T = _mean(log_ratio(logprob_T.detach(), batch), batch, over)
    ratio_T = (mean_T + logprob_T - logprob_T.detach()).clamp(max=_MAX_LOG_MEAN_RATIO).exp()
    loss_T = clip_loss(ratio_T, batch, low=1 - clip_low, high=1 + clip_high)
    return torch.where(batch.action_T, loss_T, 0)


def gmpo(
    logprob_T: Tensor, batch: Batch, *, over: Unit = "sequence", clip_low: float = 0.4, clip_high: float = 0.4
) -> Tensor:
    """Minus a unit's mean advantage times the geometric mean of its ratios, each of which is clipped in the log.

    Args:
        logprob_T: Of the policy that is trained.
        batch: With advantages; meant for one advantage a unit.
        over: What a unit is.
        clip_low: A disadvantage gains nothing by a log ratio below minus this.
        clip_high: An advantage gains nothing by one above this.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action. All tokens of a unit have its loss as value, and
        each its own part of the gradient.
    Source: arXiv 2507.20673, eq. 4; verl core_algos.py, compute_policy_loss_geo_mean.
    Differs: the mean over rows is left to the aggregation (`sequence_mean` gives the official one, save that
        empty rows do not count); factors of a correction weigh tokens, where the reference code takes their geometric
        mean too. `over="turn"` is ours.
    """
    ratio_T, advantage_T = log_ratio(logprob_T, batch), advantage(batch)
    sign_T = advantage_T.sign()
    clipped_T = sign_T * torch.minimum(sign_T * ratio_T, sign_T * ratio_T.clamp(-clip_low, clip_high))
    value_T = -_mean(advantage_T, batch, over) * _mean(clipped_T.detach(), batch, over).exp()
    return torch.where(batch.action_T, value_T * (1 + clipped_T - clipped_T.detach()), 0)


def _mean(x_T: Tensor, batch: Batch, over: Unit) -> Tensor:
    """The mean over the sampled tokens of a token's unit; anything off-action.

    Shapes: x_T [T]; returns [T].
    """
    unit_T, num = (batch.turn_T, batch.num_turns) if over == "turn" else (batch.sequence_T, batch.num_sequences)
    return segment_mean(x_T[batch.action_T], unit_T[batch.action_T], num)[unit_T]
