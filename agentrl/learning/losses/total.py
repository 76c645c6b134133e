"""The loss of a batch, or of a micro-batch of it, and what it is worth knowing about it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.losses.ratio import advantage, log_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSums:
    """Sums over the tokens that the policy sampled; `+` makes those of the batch from those of its micro-batches."""

    loss: Tensor  # weighted: adds up to the batch's loss
    surrogate: Tensor  # weighted
    num_tokens: Tensor
    clipped: Tensor  # tokens with an advantage of which the surrogate took no gradient; see `_num_clipped`
    old_kl: Tensor  # nats, minus the log ratio to the log-probabilities that the ratio compares with
    ratio_max: Tensor  # the one that is no sum
    kl: Tensor | None  # nats, from the reference; None where the loss has no such term
    entropy: Tensor | None  # nats; None where the forward pass gave none

    def __add__(self, other: "LossSums") -> "LossSums":
        return LossSums(
            loss=self.loss + other.loss,
            surrogate=self.surrogate + other.surrogate,
            num_tokens=self.num_tokens + other.num_tokens,
            clipped=self.clipped + other.clipped,
            old_kl=self.old_kl + other.old_kl,
            ratio_max=torch.maximum(self.ratio_max, other.ratio_max),
            kl=_added(self.kl, other.kl),
            entropy=_added(self.entropy, other.entropy),
        )

    def metrics(self) -> dict[str, float]:
        """What is logged: the two losses, and means over tokens of the rest; nothing for what was not measured."""
        num_tokens = max(int(self.num_tokens), 1)
        measured = {
            "learn/loss": float(self.loss),
            "learn/surrogate": float(self.surrogate),
            "learn/clip_fraction": float(self.clipped) / num_tokens,
            "learn/approx_kl": float(self.old_kl) / num_tokens,
            "learn/ratio_max": float(self.ratio_max),
        }
        if self.kl is not None:
            measured["learn/reference_kl"] = float(self.kl) / num_tokens
        if self.entropy is not None:
            measured["learn/entropy"] = float(self.entropy) / num_tokens
        return measured


def survey_metrics(batch: Batch) -> dict[str, float]:
    """What is logged of the columns that a survey has filled: means over sampled tokens; nothing for absent columns."""
    columns = {
        "learn/bound_low": batch.bound_low_T,
        "learn/bound_high": batch.bound_high_T,
        "learn/kept_fraction": batch.kept_T,
        "learn/penalized_fraction": batch.penalized_T,
    }
    num_tokens = max(int(batch.action_T.sum()), 1)
    return {
        name: float(column[batch.action_T].sum()) / num_tokens for name, column in columns.items() if column is not None
    }


def total_loss(
    logprob_T: Tensor,
    batch: Batch,
    *,
    surrogate: Callable[[Tensor, Batch], Tensor],
    kl: Callable[[Tensor, Tensor], Tensor] | None = None,
    kl_coefficient: float = 0.0,
    entropy_T: Tensor | None = None,
    entropy_coefficient: float = 0.0,
) -> tuple[Tensor, LossSums]:
    """The weighted sum over tokens of surrogate + `kl_coefficient` x KL - `entropy_coefficient` x entropy.

    Args:
        logprob_T: Of the policy that is trained, at the sampling temperature, with its graph.
        batch: With `advantage_T` and `weight_T`; with `reference_logprob_T` where there is a KL term.
        surrogate: The first term, token by token.
        kl: The estimator of the second.
        kl_coefficient: Its factor (beta).
        entropy_T: Of the policy that is trained; without it, none is reported.
        entropy_coefficient: The third term's factor.

    Raises:
        ConfigError: A term is asked for and the batch, or the forward pass, lacks what it needs.

    Shapes: logprob_T, entropy_T [T]; returns a scalar and sums without graph.
    Source: arXiv 2402.03300, eq. 3 (surrogate and KL term).
    """
    assert batch.weight_T is not None, "weigh the batch before the loss: replace(batch, weight_T=aggregation(batch))"
    surrogate_T = surrogate(logprob_T, batch)
    loss_T = surrogate_T
    kl_T = None
    if kl is not None and kl_coefficient:
        kl_T = _reference_kl(logprob_T, batch, kl)
        loss_T = loss_T + kl_coefficient * kl_T
    if entropy_coefficient:
        if entropy_T is None:
            raise ConfigError("entropy_coefficient is not 0, and the forward pass gave no entropies: ask it for them.")
        loss_T = loss_T - entropy_coefficient * entropy_T
    loss = (batch.weight_T * loss_T).sum()
    with torch.no_grad():
        log_ratio_T = log_ratio(logprob_T, batch)
        sums = LossSums(
            loss=loss.detach(),
            surrogate=(batch.weight_T * surrogate_T).sum(),
            num_tokens=batch.action_T.sum(),
            clipped=_num_clipped(logprob_T, batch, surrogate),
            old_kl=-log_ratio_T.sum(),
            ratio_max=(log_ratio_T.exp() * batch.action_T).amax(),
            kl=None if kl_T is None else kl_T.sum(),
            entropy=None if entropy_T is None else entropy_T[batch.action_T].sum(),
        )
    return loss, sums


def _added(left: Tensor | None, right: Tensor | None) -> Tensor | None:
    return None if left is None or right is None else left + right


def _reference_kl(logprob_T: Tensor, batch: Batch, kl: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    if batch.reference_logprob_T is None:
        raise ConfigError(
            "kl_coefficient is not 0, and the batch has no reference log-probabilities: annotate it with a reference "
            "model, or set kl_coefficient = 0."
        )
    return torch.where(batch.action_T, kl(logprob_T, batch.reference_logprob_T), 0)


def _num_clipped(logprob_T: Tensor, batch: Batch, surrogate: Callable[[Tensor, Batch], Tensor]) -> Tensor:
    """How many tokens have an advantage but no gradient: what clipping means, for whatever surrogate.

    That is: what clipping or masking silences; tokens that a survey has not kept; all tokens of a unit that GSPO clips.
    It is 0 for those that never silence one: `reinforce`, `cispo`, `minpro`, `kl_cov`, and, but for the dual clip,
    `ce_gppo` and what `entropy_balanced_clip` does to advantages; and for the soft ones, `sapo` and `quadratic`, unless
    a gradient happens to come out at 0.
    """
    with torch.enable_grad():
        leaf_T = logprob_T.detach().requires_grad_()
        (gradient_T,) = torch.autograd.grad(surrogate(leaf_T, batch).sum(), leaf_T)
    return (batch.action_T & (advantage(batch) != 0) & (gradient_T == 0)).sum()
