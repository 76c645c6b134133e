"""Estimators, token by token, of the KL divergence of the policy from a reference.

The value that estimates best is not the one whose gradient is right: as a loss term under the policy's own samples,
only k2's gradient is in expectation that of the divergence (k1's is 0, k3's is that of the divergence the other way
round). The "+" forms have the value of one and the gradient of k2. Taken off the rewards instead, it is k1's value
whose policy gradient is that of the divergence.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.segments import segment_sum

_MAX_LOG_RATIO = 20.0
_MAX_K3 = 10.0


def k1(logprob_T: Tensor, reference_logprob_T: Tensor) -> Tensor:
    """The log ratio: unbiased, and negative for about half of the tokens.

    Shapes: two of [T]; returns kl_T [T], nats.
    Source: Schulman 2020, "Approximating KL divergence"; verl core_algos.py, kl_penalty.
    """
    return logprob_T - reference_logprob_T


def k2(logprob_T: Tensor, reference_logprob_T: Tensor) -> Tensor:
    """Half of the squared log ratio: biased in value, right in gradient.

    Shapes: two of [T]; returns kl_T [T], nats.
    Source: Schulman 2020, "Approximating KL divergence"; verl core_algos.py, kl_penalty.
    """
    return (logprob_T - reference_logprob_T).square() / 2


def k3(logprob_T: Tensor, reference_logprob_T: Tensor) -> Tensor:
    """exp(-d) - 1 + d with d the log ratio: unbiased, never negative; beyond |d| of 20 or a value of 10, constant.

    Shapes: two of [T]; returns kl_T [T], nats.
    Source: Schulman 2020, "Approximating KL divergence"; arXiv 2402.03300 eq. 4; verl core_algos.py, kl_penalty.
    """
    reverse_T = (reference_logprob_T - logprob_T).clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO)
    return (reverse_T.exp() - reverse_T - 1).clamp(-_MAX_K3, _MAX_K3)


def absolute(logprob_T: Tensor, reference_logprob_T: Tensor) -> Tensor:
    """The absolute log ratio.

    Shapes: two of [T]; returns kl_T [T], nats.
    Source: verl core_algos.py, kl_penalty, "abs".
    """
    return (logprob_T - reference_logprob_T).abs()


def k1_plus(logprob_T: Tensor, reference_logprob_T: Tensor) -> Tensor:
    """The value of k1 with the gradient of k2.

    Shapes: two of [T]; returns kl_T [T], nats.
    Source: verl core_algos.py, kl_penalty, "k1+".
    """
    return _with_gradient_of_k2(k1(logprob_T, reference_logprob_T), logprob_T, reference_logprob_T)


def k3_plus(logprob_T: Tensor, reference_logprob_T: Tensor) -> Tensor:
    """The value of k3 with the gradient of k2.

    Shapes: two of [T]; returns kl_T [T], nats.
    Source: verl core_algos.py, kl_penalty, "k3+".
    """
    return _with_gradient_of_k2(k3(logprob_T, reference_logprob_T), logprob_T, reference_logprob_T)


def penalized_reward(batch: Batch, kl: Callable[[Tensor, Tensor], Tensor], coefficient: float) -> Tensor:
    """Each turn's reward less `coefficient` times the divergence from the reference over the tokens that it sampled.

    Args:
        batch: With `reference_logprob_T`; what it is compared with is `behavior_logprob_T`, the policy that sampled.
        kl: The estimator; k1 is the one whose policy gradient is right here.
        coefficient: Its factor (beta).

    Raises:
        ConfigError: The batch has no reference log-probabilities.

    Shapes: returns reward_U [U] f64.
    Source: arXiv 1909.08593, section 2; verl ray_trainer.py, apply_kl_penalty.
    Differs: the divergence is a turn's as a whole, where the reference code takes each token's off that token's reward.
    """
    if batch.reference_logprob_T is None:
        raise ConfigError(
            "kl_in_reward is set, and the batch has no reference log-probabilities: annotate it with a reference "
            "model, or set kl_coefficient = 0."
        )
    kl_T = torch.where(batch.action_T, kl(batch.behavior_logprob_T, batch.reference_logprob_T), 0).double()
    return batch.reward_U - coefficient * segment_sum(kl_T, batch.turn_T, batch.num_turns)


def _with_gradient_of_k2(value_T: Tensor, logprob_T: Tensor, reference_logprob_T: Tensor) -> Tensor:
    carrier_T = k2(logprob_T, reference_logprob_T)
    return value_T.detach() + carrier_T - carrier_T.detach()
