"""What an algorithm is made of: the columns of the table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.credit import Credit
from agentrl.learning.losses import (
    Aggregation,
    Correction,
    Divergence,
    LossSums,
    Surrogate,
    Survey,
    total_loss,
)
from agentrl.learning.losses.kl import k3


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a run outside the learning half's pure functions: its name in its table, and its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """What is done with a batch: three pure functions, the terms beside the surrogate, and what feeds them."""

    credit: Credit  # batch -> advantage_T, on the whole collected batch
    surrogate: Surrogate  # (logprob_T, batch) -> loss_T
    survey: Survey | None = None  # batch of one optimizer step -> the same with columns for the surrogate
    aggregation: Aggregation  # batch -> weight_T, on the batch of one optimizer step
    kl: Divergence = k3  # (logprob_T, reference_logprob_T) -> kl_T
    kl_coefficient: float = 0.0  # not 0: the batch needs reference log-probabilities
    kl_in_reward: bool = False  # the KL term is taken off the rewards before credit, instead of added to the loss
    entropy_coefficient: float = 0.0  # not 0: the forward pass must give entropies
    correction: Correction | None = None  # batch -> factor_T of the weights, for a sampler unlike the trainer
    needs_step_logprobs: bool = False  # the surrogate's statistics are of the whole batch of an optimizer step
    needs_entropies: bool = False  # the sampler must give the entropy of each distribution it drew from
    explorer: Part = Part("independent")  # which trajectories of a group are started
    curriculum: Part = Part("uniform")  # which tasks come next, and how often
    annotators: tuple[Part, ...] = ()  # which columns are filled by a model before credit is assigned
    imitation: Part | None = None  # how demonstrations, played while training, are imitated beside reinforcement
    paper: str = ""  # "arXiv 2505.10978"; "" for our own
    summary: str = ""  # one line for the table of algorithms: what is compared with what
    needs: tuple[str, ...] = ()  # of the environment, where no other field of the row says so: "state keys"
    checked: str = ""  # "vectors" of the official code, "formulas" typed anew, or "paper only"

    @property
    def needs_idle(self) -> bool:
        """Whether sequences without any advantage add to the loss all the same, so that `drop_idle` may not be used."""
        return bool(self._kl_in_loss or self.entropy_coefficient)

    @property
    def _kl_in_loss(self) -> float:
        return 0.0 if self.kl_in_reward else self.kl_coefficient

    def loss(self, logprob_T: Tensor, batch: Batch, entropy_T: Tensor | None = None) -> tuple[Tensor, LossSums]:
        """`losses.total_loss` with this algorithm's terms."""
        return total_loss(
            logprob_T,
            batch,
            surrogate=self.surrogate,
            kl=self.kl,
            kl_coefficient=self._kl_in_loss,
            entropy_T=entropy_T,
            entropy_coefficient=self.entropy_coefficient,
        )
