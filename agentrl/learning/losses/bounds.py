"""Clipped losses whose bounds differ from token to token, or from step to step; and what sets those bounds.

Bounds that depend on the whole batch of an optimizer step are set by a survey: before that batch is split, it writes
`bound_low_T` and `bound_high_T`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.credit.composition import sampling_entropy
from agentrl.learning.losses.ratio import advantage, clip_loss, log_ratio
from agentrl.learning.losses.selection import step_logprobs
from agentrl.learning.segments import segment_count, segment_order

_EPSILON = 1e-8


def dynamic_clip(
    logprob_T: Tensor,
    batch: Batch,
    *,
    clip_low: float = 0.16,
    clip_high: float = 0.2,
    max_ratio: float = 10.0,
    clip_dual: float | None = 10.0,
) -> Tensor:
    """The clipped loss, with bounds that are the wider the less likely the token was.

    Args:
        logprob_T: Of the policy that is trained.
        batch: With advantages.
        clip_low: A ratio below 1 gains nothing once its distance from 1, times the token's probability, is more than
            this; the lower bound is 0.5 at least.
        clip_high: Nor does a ratio above 1, once that is more than this.
        max_ratio: The largest upper bound.
        clip_dual: As in `ppo_clip`.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2509.02333 (DCPO); lime-RL/DCPO core_algos.py, get_clip_low_high and
        compute_policy_loss_dcpo (clip_type "dynamic").
    """
    low_T, high_T = dynamic_bounds(batch.behavior_logprob_T.exp(), clip_low, clip_high, max_ratio)
    return clip_loss(log_ratio(logprob_T, batch).exp(), batch, low=low_T, high=high_T, dual=clip_dual)


def dynamic_bounds(old_T: Tensor, clip_low: float, clip_high: float, max_ratio: float) -> tuple[Tensor, Tensor]:
    """The least and the largest ratio of a token by its old probability.

    Shapes: old_T [T]; returns two of [T].
    Source: arXiv 2509.02333 (DCPO); lime-RL/DCPO core_algos.py, get_clip_low_high.
    """
    low_T = (1 + (1 - 4 * clip_low / old_T).clamp(min=0).sqrt()) / 2
    high_T = (1 + (1 + 4 * clip_high / old_T).sqrt()) / 2
    return low_T, high_T.clamp(max=max_ratio)


def bounded_clip(logprob_T: Tensor, batch: Batch, *, clip_dual: float | None = 3.0) -> Tensor:
    """The clipped loss, with the bounds that a survey has set.

    Args:
        logprob_T: Of the policy that is trained.
        batch: With advantages, `bound_low_T` and `bound_high_T`.
        clip_dual: As in `ppo_clip`.

    Raises:
        ConfigError: The batch has no bounds.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2510.18927 (BAPO); WooooDyy/BAPO recipe/bapo/policy_loss.py, compute_policy_loss_bapo.
    """
    low_T, high_T = _bounds(batch)
    return clip_loss(log_ratio(logprob_T, batch).exp(), batch, low=low_T, high=high_T, dual=clip_dual)


def flipped_clip(logprob_T: Tensor, batch: Batch, *, positive_dual: float = 3.0, negative_dual: float = 3.0) -> Tensor:
    """The clipped loss, in which a token of positive advantage is weighed by one over its ratio.

    So what has become likelier is raised less, and what lags behind more. Above the upper bound an advantage has no
    gradient, and below the lower one a disadvantage has none. The weight itself is at most `positive_dual` or
    `negative_dual`; at that limit the gradient stays, unlike under a dual clip.

    Args:
        logprob_T: Of the policy that is trained.
        batch: With advantages, `bound_low_T` and `bound_high_T`.
        positive_dual: The largest weight of a positive advantage.
        negative_dual: The largest of a negative one.

    Raises:
        ConfigError: The batch has no bounds.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2510.06062 (ASPO); Archer2.0 core_algos.py, compute_policy_loss_archer.
    """
    low_T, high_T = _bounds(batch)
    ratio_T, advantage_T = log_ratio(logprob_T, batch).exp(), advantage(batch)
    above_T, below_T = ratio_T.clamp(min=low_T), ratio_T.clamp(max=high_T)
    flipped_T = (1 / below_T).detach()
    positive_T = torch.where(
        flipped_T > positive_dual, positive_dual * logprob_T, flipped_T * below_T / below_T.detach()
    )
    negative_T = torch.where(above_T > negative_dual, negative_dual * logprob_T, above_T)
    return torch.where(batch.action_T, -advantage_T * torch.where(advantage_T < 0, negative_T, positive_T), 0)


def balanced_bounds(
    batch: Batch,
    *,
    target: float = 1.0,
    low: Sequence[float] = (0.6, 0.9, 0.05),
    high: Sequence[float] = (1.2, 3.0, 0.1),
) -> Batch:
    """The batch with the bounds under which advantages weigh enough beside disadvantages; the same for all tokens.

    What a token weighs is its advantage times its ratio, as far as the bounds let the ratio count. Until the
    advantages' sum is `target` times the disadvantages', first the lower bound is raised step by step, and then the
    upper one.

    Args:
        batch: Of an optimizer step, with advantages and `step_logprob_T`.
        target: The RATIO of the two sums, as in the reference code, whose README calls a share of 0.5 what is a ratio
            of 1 here.
        low: The first lower bound, the last one, and what is added at a time: ratios, and no distances from 1.
        high: The same of the upper bound.

    Raises:
        ConfigError: The batch has no step log-probabilities, or a bound is not given by three numbers.

    Shapes: writes bound_low_T, bound_high_T [T].
    Source: arXiv 2510.18927 (BAPO); WooooDyy/BAPO recipe/bapo/policy_loss.py, compute_policy_loss_bapo.
    Differs: the sums are over the whole batch of an optimizer step, and ratios those before the step, where the
        reference code searches anew in each micro-batch.
    """
    ratio_T = log_ratio(step_logprobs(batch), batch).exp()
    advantage_T = torch.where(batch.action_T, advantage(batch), 0)

    def is_short(least: float, largest: float) -> bool:
        gained = (advantage_T.clamp(min=0) * ratio_T.clamp(max=largest)).sum()
        lost = (-advantage_T.clamp(max=0) * ratio_T.clamp(min=least)).sum()
        return bool(lost > 0) and float(gained / (lost + _EPSILON)) < target

    least = _raised(low, lambda bound: is_short(bound, high[0]))
    largest = _raised(high, lambda bound: is_short(least, bound))
    return replace(batch, bound_low_T=torch.full_like(ratio_T, least), bound_high_T=torch.full_like(ratio_T, largest))


def entropy_bounds(batch: Batch, *, quantile: float = 0.8, clip: float = 0.2, unsure_clip: float = 0.4) -> Batch:
    """The batch with bounds that are wider for the tokens of each trajectory that the policy was least sure of.

    Args:
        batch: With `entropy_T`.
        quantile: Tokens whose entropy is above this quantile of their trajectory's are those.
        clip: The bounds are 1 - this and 1 + this,
        unsure_clip: or, for those tokens, 1 - this and 1 + this.

    Raises:
        ConfigError: The batch has no entropies.

    Shapes: writes bound_low_T, bound_high_T [T].
    Source: arXiv 2510.06062 (ASPO); Archer2.0 dp_actor.py, update_policy, and core_algos.py,
        compute_policy_loss_archer. The variable that is called high_entropy_mask there marks the others.
    Differs: entropies are of the policy that sampled, where the reference code has those of the policy as it is.
    """
    entropy_T = sampling_entropy(batch).to(batch.sampled_logprob_T.dtype)
    limit_B = _quantile(entropy_T[batch.action_T], batch.trajectory_T[batch.action_T], batch.num_trajectories, quantile)
    width_T = torch.full_like(entropy_T, clip).masked_fill(entropy_T > limit_B[batch.trajectory_T], unsure_clip)
    return replace(batch, bound_low_T=1 - width_T, bound_high_T=1 + width_T)


def _bounds(batch: Batch) -> tuple[Tensor, Tensor]:
    if batch.bound_low_T is None or batch.bound_high_T is None:
        raise ConfigError(
            "The surrogate clips at bounds that the batch lacks: choose the `survey` that sets them ('bapo', by the "
            "balance of advantages; 'aspo', by entropy), or another surrogate."
        )
    return batch.bound_low_T, batch.bound_high_T


def _raised(bounds: Sequence[float], is_short: Callable[[float], bool]) -> float:
    """The first bound at which nothing is short, or else the last."""
    if len(bounds) != 3:
        raise ConfigError(f"A bound is given by its first value, its last, and a step; got {list(bounds)}.")
    bound, last, step = bounds
    while bound < last and step > 0 and is_short(bound):
        bound = min(bound + step, last)
    return bound


def _quantile(x_N: Tensor, index_N: Tensor, num: int, quantile: float) -> Tensor:
    """The quantile of each segment, between two elements by their distances; 0 for an empty one.

    Shapes: x_N [N] float, index_N [N] int64; returns [num].
    """
    if not x_N.numel():
        return x_N.new_zeros(num)
    sorted_N = x_N[segment_order(x_N, index_N)]
    count_M = segment_count(index_N, num)
    place_M = quantile * (count_M - 1).clamp(min=0).to(x_N.dtype)
    first_M, below_M = count_M.cumsum(0) - count_M, place_M.floor().long()
    low_M, high_M = (sorted_N[(first_M + at_M).clamp(max=x_N.numel() - 1)] for at_M in (below_M, place_M.ceil().long()))
    return torch.where(count_M > 0, low_M + (place_M - below_M) * (high_M - low_M), 0)
