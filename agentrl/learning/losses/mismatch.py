"""Corrections of weights where the engine that samples and the model that is trained disagree about probabilities.

Each compares `old_logprob_T`, by the trained model as it was when it sampled, with `sampled_logprob_T`, by the engine.
A factor multiplies the token's weight, and so all terms of the loss.
"""

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.segments import segment_count, segment_max, segment_mean, segment_sum

Level: TypeAlias = Literal["token", "turn", "sequence"]
Estimator: TypeAlias = Literal["k1", "k2", "k3"]
Statistic: TypeAlias = Literal["token", "sequence_sum", "sequence_mean", "sequence_max"]

_MAX_LOG_RATIO = 20.0
_LEAST_MEAN = 1e-8  # below it, factors are not normalised


def truncated(batch: Batch, *, level: Level = "token", upper: float = 2.0, normalise: bool = False) -> Tensor:
    """How much likelier the trained model held the token than the engine that sampled it, at most `upper`.

    Args:
        batch: With `old_logprob_T`.
        level: Of each token by itself, or of its turn's or sequence's tokens together: the product of their ratios.
        upper: The largest factor.
        normalise: Divide by the mean over tokens, turns or sequences, so that no step is smaller for it.

    Raises:
        ConfigError: The batch has no old log-probabilities.

    Shapes: returns factor_T [T]; 0 off-action.
    Source: Yao et al. 2025, "Your efficient RL framework secretly brings you off-policy RL training" (TIS); verl
        rollout_corr_helper.py, compute_rollout_correction_weights.
    Differs: `level="turn"` is ours.
    """
    return _finished(_factor(batch, level).clamp(max=upper), batch, level, normalise)


def masked(
    batch: Batch, *, level: Level = "token", lower: float = 0.5, upper: float = 5.0, normalise: bool = False
) -> Tensor:
    """As `truncated`, but 0 for a factor below `lower` or above `upper`: what the two hold too unlike is left out.

    Args:
        batch: With `old_logprob_T`.
        level: As in `truncated`.
        lower: The least factor that counts.
        upper: The largest.
        normalise: As in `truncated`.

    Raises:
        ConfigError: The batch has no old log-probabilities.

    Shapes: returns factor_T [T]; 0 off-action.
    Source: arXiv 2510.18855, "IcePop"; verl rollout_corr_helper.py, compute_rollout_correction_weights.
    Differs: `level="turn"` is ours.
    """
    factor_T = _factor(batch, level)
    return _finished(factor_T * ((factor_T >= lower) & (factor_T <= upper)), batch, level, normalise)


def rejected(
    batch: Batch,
    *,
    estimator: Estimator = "k1",
    level: Statistic = "token",
    lower: float = 0.5,
    upper: float = 2.0,
) -> Tensor:
    """1 where the two agree well enough, 0 elsewhere; no importance is weighed.

    Args:
        batch: With `old_logprob_T`.
        estimator: How disagreement is measured: "k1", the log of the engine's probability over the trained model's;
            "k2", half its square; "k3", exp(-k1) - 1 + k1.
        level: Of each token by itself, or by the sum, mean or maximum over its sequence.
        lower: With k1: the least that is accepted, as a ratio of engine to model. The others have no lower bound.
        upper: The largest; with k1 a ratio, with k2 and k3 a divergence in nats.

    Raises:
        ConfigError: The batch has no old log-probabilities.

    Shapes: returns factor_T [T]; 0 off-action.
    Source: verl rollout_corr_helper.py, compute_rollout_rejection_mask.
    Differs: what is rejected still counts in the denominator of a mean, where the reference code takes it out of the
        mask.
    """
    ratio_T = _log_ratio(batch).clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO)
    measured_T = {"k1": -ratio_T, "k2": ratio_T.square() / 2, "k3": ratio_T.exp() - 1 - ratio_T}[estimator]
    value_T = measured_T if level == "token" else _over_sequence(measured_T, batch, level)
    low, high = (math.log(lower), math.log(upper)) if estimator == "k1" else (-math.inf, upper)
    return ((value_T >= low) & (value_T <= high) & batch.action_T).to(ratio_T.dtype)


def _log_ratio(batch: Batch) -> Tensor:
    if batch.old_logprob_T is None:
        raise ConfigError(
            "A correction compares the trained model's log-probabilities with the engine's, and the batch has the "
            'engine\'s alone: add the annotator "old_logprobs", which computes the others.'
        )
    return torch.where(batch.action_T, batch.old_logprob_T - batch.sampled_logprob_T, 0)


def _factor(batch: Batch, level: Level) -> Tensor:
    ratio_T = _log_ratio(batch)
    if level != "token":
        unit_T, num = _units(batch, level)
        ratio_T = segment_sum(ratio_T, unit_T, num)[unit_T]
    return ratio_T.clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO).exp() * batch.action_T


def _finished(factor_T: Tensor, batch: Batch, level: Level, normalise: bool) -> Tensor:
    """The factors, with a mean of 1 over tokens or units if asked for."""
    if not normalise or not bool(batch.action_T.any()):
        return factor_T
    mean = factor_T[batch.action_T].mean()
    if level != "token":
        unit_T, num = _units(batch, level)
        filled_N = segment_count(unit_T[batch.action_T], num) > 0
        mean = segment_mean(factor_T[batch.action_T], unit_T[batch.action_T], num)[filled_N].mean()
    return factor_T / mean if mean > _LEAST_MEAN else factor_T


def _over_sequence(x_T: Tensor, batch: Batch, level: Statistic) -> Tensor:
    reduce = {"sequence_sum": segment_sum, "sequence_mean": segment_mean, "sequence_max": segment_max}[level]
    sequence_N = batch.sequence_T[batch.action_T]
    return reduce(x_T[batch.action_T], sequence_N, batch.num_sequences)[batch.sequence_T]


def _units(batch: Batch, level: Level) -> tuple[Tensor, int]:
    return (batch.turn_T, batch.num_turns) if level == "turn" else (batch.sequence_T, batch.num_sequences)
