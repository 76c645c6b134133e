"""Losses: surrogates (a loss for each token), aggregations (its weight), KL estimators: pure functions in tables."""

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.losses import (
    aggregation,
    bounds,
    kl,
    mismatch,
    preserving,
    ratio,
    selection,
    sequence,
    soft,
    weighted,
)
from agentrl.learning.losses.total import LossSums, total_loss

__all__ = [
    "AGGREGATION",
    "CORRECTION",
    "KL",
    "NEEDS_ENTROPIES",
    "NEEDS_STEP_LOGPROBS",
    "SURROGATE",
    "SURVEY",
    "Aggregation",
    "Correction",
    "Divergence",
    "LossSums",
    "Surrogate",
    "Survey",
    "total_loss",
]

Surrogate: TypeAlias = Callable[[Tensor, Batch], Tensor]  # (logprob_T, batch) -> loss_T
Survey: TypeAlias = Callable[[Batch], Batch]  # batch -> the batch with columns for the surrogate
Aggregation: TypeAlias = Callable[[Batch], Tensor]  # batch -> weight_T
Divergence: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # (logprob_T, reference_logprob_T) -> kl_T
Correction: TypeAlias = Callable[[Batch], Tensor]  # batch -> factor_T

SURROGATE: MappingProxyType[str, Surrogate] = MappingProxyType(
    {
        "aepo": preserving.entropy_balanced_clip,
        "aspo": bounds.flipped_clip,
        "bapo": bounds.bounded_clip,
        "ce_gppo": preserving.ce_gppo,
        "cispo": weighted.cispo,
        "clip_cov": selection.kept_clip,
        "dcpo": bounds.dynamic_clip,
        "dppo_kl": weighted.dppo_kl,
        "dppo_tv": weighted.dppo_tv,
        "gmpo": sequence.gmpo,
        "gppo": partial(preserving.ce_gppo, low_weight=1.0),
        "gspo": sequence.gspo,
        "high_entropy": selection.kept_clip,
        "kl_cov": selection.kl_cov,
        "minpro": weighted.minpro,
        "ppo_clip": ratio.ppo_clip,
        "quadratic": soft.quadratic,
        "reinforce": ratio.reinforce,
        "sapo": soft.sapo,
        "signed_clip": ratio.signed_clip,
    }
)

# What the surrogate of the same name must know of the whole batch of an optimizer step. It is called before that is
# split, and only adds columns, so that micro-batches cannot change the gradient.
SURVEY: MappingProxyType[str, Survey] = MappingProxyType(
    {
        "aspo": bounds.entropy_bounds,
        "bapo": bounds.balanced_bounds,
        "clip_cov": selection.bounded_covariance,
        "high_entropy": selection.high_entropy,
        "kl_cov": selection.largest_covariance,
    }
)

NEEDS_STEP_LOGPROBS = frozenset({"bapo", "clip_cov", "kl_cov"})  # surveys that look at `step_logprob_T`
NEEDS_ENTROPIES = frozenset({"aspo", "high_entropy"})  # those that look at `entropy_T`

AGGREGATION: MappingProxyType[str, Aggregation] = MappingProxyType(
    {
        "constant": aggregation.constant,
        "sequence_mean": aggregation.sequence_mean,
        "sequence_mean_token_sum": aggregation.sequence_mean_token_sum,
        "token_mean": aggregation.token_mean,
        "token_sum": aggregation.token_sum,
        "trajectory_mean": aggregation.trajectory_mean,
        "trajectory_mean_token_sum": aggregation.trajectory_mean_token_sum,
        "trajectory_sum_token_mean": aggregation.trajectory_sum_token_mean,
        "turn_mean": aggregation.turn_mean,
        "turn_mean_token_sum": aggregation.turn_mean_token_sum,
    }
)

KL: MappingProxyType[str, Divergence] = MappingProxyType(
    {"abs": kl.absolute, "k1": kl.k1, "k1+": kl.k1_plus, "k2": kl.k2, "k3": kl.k3, "k3+": kl.k3_plus}
)

CORRECTION: MappingProxyType[str, Correction] = MappingProxyType(
    {"icepop": mismatch.masked, "rejection": mismatch.rejected, "tis": mismatch.truncated}
)
