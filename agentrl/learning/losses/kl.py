"""Estimators, token by token, of the KL divergence of the policy from a reference.

The value that estimates best is not the one whose gradient is right: as a loss term under the policy's own samples,
only k2's gradient is in expectation that of the divergence (k1's is 0, k3's is that of the divergence the other way
round). The "+" forms have the value of one and the gradient of k2.
"""

from torch import Tensor

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


def _with_gradient_of_k2(value_T: Tensor, logprob_T: Tensor, reference_logprob_T: Tensor) -> Tensor:
    carrier_T = k2(logprob_T, reference_logprob_T)
    return value_T.detach() + carrier_T - carrier_T.detach()
