"""Losses that treat some tokens unlike the others; and what selects those, of the whole batch of an optimizer step.

A survey selects them before that batch is split: it writes `kept_T` or `penalized_T`.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.credit.comparison import NO_SPREAD
from agentrl.learning.credit.composition import sampling_entropy
from agentrl.learning.losses.ratio import advantage, clip_loss, log_ratio, ppo_clip

_GOLDEN = 0.6180339887498949  # multiples of it have fractional parts that spread evenly
_DIGITS = 1e3


def kept_clip(
    logprob_T: Tensor,
    batch: Batch,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    clip_dual: float | None = None,
) -> Tensor:
    """The clipped loss of the tokens that a survey has kept; 0 for the others.

    Args:
        logprob_T: Of the policy that is trained.
        batch: With advantages and `kept_T`.
        clip_low: As in `ppo_clip`.
        clip_high: As in `ppo_clip`.
        clip_dual: As in `ppo_clip`.

    Raises:
        ConfigError: The batch does not say which are kept.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2506.01939; 2505.22617 (Clip-Cov); verl core_algos.py, compute_policy_loss_clip_cov.
    Differs: weights are not raised for the tokens that are left, so the loss is the smaller the fewer are kept.
    """
    if batch.kept_T is None:
        raise ConfigError(
            "The surrogate counts the tokens that are kept, and the batch does not say which: choose the `survey` that "
            "selects them ('high_entropy', 'clip_cov'), or another surrogate."
        )
    loss_T = ppo_clip(logprob_T, batch, clip_low=clip_low, clip_high=clip_high, clip_dual=clip_dual)
    return torch.where(batch.kept_T, loss_T, 0)


def kl_cov(logprob_T: Tensor, batch: Batch, *, penalty: float = 1.0) -> Tensor:
    """Minus advantage times ratio, without a clip; the tokens that a survey has marked are held by their log ratio.

    Args:
        logprob_T: Of the policy that is trained.
        batch: With advantages and `penalized_T`.
        penalty: What the absolute log ratio of a marked token costs.

    Raises:
        ConfigError: The batch does not say which are marked.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    Source: arXiv 2505.22617 (KL-Cov); verl core_algos.py, compute_policy_loss_kl_cov.
    """
    if batch.penalized_T is None:
        raise ConfigError(
            "The surrogate holds the tokens that are marked, and the batch does not say which: choose the `survey` "
            "that marks them ('kl_cov'), or another surrogate."
        )
    ratio_T = log_ratio(logprob_T, batch)
    return torch.where(batch.penalized_T, penalty * ratio_T.abs(), 0) - advantage(batch) * ratio_T.exp()


def high_entropy(batch: Batch, *, share: float = 0.2) -> Batch:
    """The batch with the tokens kept that the policy was least sure of, over all trajectories.

    Args:
        batch: With `entropy_T`.
        share: How many of the sampled tokens, rounded up.

    Raises:
        ConfigError: The batch has no entropies.

    Shapes: writes kept_T [T].
    Source: arXiv 2506.01939 ("beyond the 80/20 rule"); Beyond-the-80-20-Rule-RLVR core_algos.py,
        get_global_entropy_top_mask. Checked: a copy of the code was read, not run.
    Differs: entropies are of the policy that sampled, and the batch is that of an optimizer step, where the reference
        code selects in each micro-batch by the policy as it is. Tokens that tie with the last one are kept too.
    """
    entropy_T = sampling_entropy(batch)
    return replace(batch, kept_T=_largest(entropy_T, batch.action_T, math.ceil(share * _num_sampled(batch))))


def largest_covariance(batch: Batch, *, share: float = 2e-4) -> Batch:
    """The batch with the tokens marked in which advantage and log-probability go together most: they lower the entropy.

    Args:
        batch: Of an optimizer step, with advantages and `step_logprob_T`.
        share: How many of the sampled tokens, rounded down, but one at least.

    Raises:
        ConfigError: The batch has no step log-probabilities.

    Shapes: writes penalized_T [T].
    Source: arXiv 2505.22617 (KL-Cov); verl core_algos.py, compute_policy_loss_kl_cov.
    Differs: means are over the batch of an optimizer step, and log-probabilities are those before it, where the
        reference code takes each micro-batch's. Tokens that tie with the last one are marked too; those that do not
        go together are not, so that none are in a batch without spread.
    """
    covariance_T = _covariance(batch)
    together_T = batch.action_T & (covariance_T > NO_SPREAD)
    return replace(batch, penalized_T=_largest(covariance_T, together_T, max(int(share * _num_sampled(batch)), 1)))


def bounded_covariance(
    batch: Batch,
    *,
    share: float = 2e-4,
    covariance_low: float = 1.0,
    covariance_high: float = 5.0,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
) -> Batch:
    """The batch with all tokens kept but some in which advantage and log-probability go together.

    Those are drawn from the tokens that clipping does not silence anyway: by digits of their log-probabilities and by
    their places, so that the same batch gives the same ones.

    Args:
        batch: Of an optimizer step, with advantages and `step_logprob_T`.
        share: How many of the sampled tokens, rounded down, but one at least; fewer where there are not as many.
        covariance_low: They have a covariance above this,
        covariance_high: and below this.
        clip_low: As the surrogate is told.
        clip_high: As the surrogate is told.

    Raises:
        ConfigError: The batch has no step log-probabilities.

    Shapes: writes kept_T [T].
    Source: arXiv 2505.22617 (Clip-Cov); verl core_algos.py, compute_policy_loss_clip_cov. Checked: the
        code was read, not run.
    Differs: as `largest_covariance`; the draw needs no random numbers.
    """
    covariance_T, ratio_T = _covariance(batch), log_ratio(step_logprobs(batch), batch).exp()
    unclipped_T = -advantage(batch) * ratio_T >= clip_loss(ratio_T, batch, low=1 - clip_low, high=1 + clip_high)
    drawn_from_T = (covariance_T > covariance_low) & (covariance_T < covariance_high) & unclipped_T & batch.action_T
    draw_T = (_DIGITS * batch.sampled_logprob_T.double() + _GOLDEN * batch.position_T) % 1
    dropped_T = _largest(draw_T, drawn_from_T, max(int(share * _num_sampled(batch)), 1))
    return replace(batch, kept_T=batch.action_T & ~dropped_T)


def step_logprobs(batch: Batch) -> Tensor:
    """The log-probabilities before the optimizer step, which must be there.

    Raises:
        ConfigError: They are not.

    Shapes: returns step_logprob_T [T].
    """
    if batch.step_logprob_T is None:
        raise ConfigError(
            "The surrogate goes by log-probabilities before the optimizer step, and the batch has none: set "
            "needs_step_logprobs = true, and the trainer computes them."
        )
    return batch.step_logprob_T


def _covariance(batch: Batch) -> Tensor:
    """What each sampled token adds to the covariance of advantage and log-probability; anything off-action.

    Shapes: returns [T].
    """
    logprob_T, advantage_T, action_T = step_logprobs(batch).double(), advantage(batch).double(), batch.action_T
    return (advantage_T - advantage_T[action_T].mean()) * (logprob_T - logprob_T[action_T].mean())


def _largest(x_T: Tensor, among_T: Tensor, num: int) -> Tensor:
    """Which of some tokens have the largest values: `num` of them, and those that tie with the last but for rounding.

    Shapes: x_T [T], among_T [T] bool; returns [T] bool.
    """
    values_N = x_T[among_T]
    if num >= values_N.numel():
        return among_T
    if num < 1:
        return torch.zeros_like(among_T)
    return among_T & (x_T >= values_N.topk(num).values[-1] - NO_SPREAD)


def _num_sampled(batch: Batch) -> int:
    return int(batch.action_T.sum())
