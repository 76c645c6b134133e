"""Losses: surrogates (a loss for each token), aggregations (its weight), KL estimators: pure functions in tables."""

from collections.abc import Callable
from types import MappingProxyType
from typing import TypeAlias

from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.losses import aggregation, kl, ratio
from agentrl.learning.losses.total import LossSums, total_loss

__all__ = [
    "AGGREGATION",
    "CORRECTION",
    "KL",
    "SURROGATE",
    "Aggregation",
    "Correction",
    "Divergence",
    "LossSums",
    "Surrogate",
    "total_loss",
]

Surrogate: TypeAlias = Callable[[Tensor, Batch], Tensor]  # (logprob_T, batch) -> loss_T
Aggregation: TypeAlias = Callable[[Batch], Tensor]  # batch -> weight_T
Divergence: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # (logprob_T, reference_logprob_T) -> kl_T
Correction: TypeAlias = Callable[[Batch], Tensor]  # batch -> factor_T

SURROGATE: MappingProxyType[str, Surrogate] = MappingProxyType(
    {"ppo_clip": ratio.ppo_clip, "reinforce": ratio.reinforce}
)

AGGREGATION: MappingProxyType[str, Aggregation] = MappingProxyType(
    {
        "constant": aggregation.constant,
        "sequence_mean": aggregation.sequence_mean,
        "sequence_mean_token_sum": aggregation.sequence_mean_token_sum,
        "token_mean": aggregation.token_mean,
        "token_sum": aggregation.token_sum,
        "trajectory_mean": aggregation.trajectory_mean,
        "trajectory_mean_token_sum": aggregation.trajectory_mean_token_sum,
        "turn_mean": aggregation.turn_mean,
        "turn_mean_token_sum": aggregation.turn_mean_token_sum,
    }
)

KL: MappingProxyType[str, Divergence] = MappingProxyType(
    {"abs": kl.absolute, "k1": kl.k1, "k1+": kl.k1_plus, "k2": kl.k2, "k3": kl.k3, "k3+": kl.k3_plus}
)

CORRECTION: MappingProxyType[str, Correction] = MappingProxyType({})
