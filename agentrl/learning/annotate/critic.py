"""A critic: a model of its own that learns what return to expect before each token."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from agentrl.learning.annotate.annotator import Annotator, Materials
from agentrl.learning.batch import Batch, consecutive, minibatches
from agentrl.learning.credit.critic import CriticCredit, Step, critic_credit
from agentrl.learning.losses.aggregation import token_mean
from agentrl.learning.losses.value import value_loss
from agentrl.learning.optimizer import adamw, apply_gradients
from agentrl.learning.policy import Policy
from agentrl.trajectory import Group


def critic(
    materials: Materials,
    *,
    discount: float = 1.0,
    gae_lambda: float = 1.0,
    over: Step = "tokens",
    clip: float | None = 0.5,
    updates: int = 1,
    learning_rate: float = 1e-5,
) -> Annotator:
    """`value_T`: the return that a critic expects before each token, learnt from the returns that came.

    The critic is a copy of the policy with a head for values, and not another head on the policy: so its loss pulls
    at nothing that the policy acts by, its steps may be larger, and the policy stays any model there is. The head
    starts at 0, so that the first advantages are returns.

    Args:
        materials: What to make it of.
        discount: Of a reward, by steps (gamma).
        gae_lambda: Of the targets: 1, what was earned from the step on; less, with what the critic expected mixed in.
        over: What a step is, "tokens" or "turns"; as the credit function is told.
        clip: How far a value may move from what it was before the update (the reference code's cliprange_value);
            None: any distance.
        updates: Optimizer steps a batch, each on its share of the trajectories.
        learning_rate: Of AdamW, constant.

    Source: arXiv 1707.06347, section 5, and 1506.02438; verl core_algos.py, compute_value_loss, dp_critic.py. Targets
        with a lambda of their own: 2504.05118 (VAPO).
        Checked: the code was read, not run; the targets are those of vectors.
    Differs: the loss is a mean over the tokens of an optimizer step, whatever fits a forward pass.
    """
    targets = partial(critic_credit, discount=discount, gae_lambda=gae_lambda, over=over)
    return Critic(materials, targets, clip=clip, updates=updates, learning_rate=learning_rate)


class Critic:
    """The annotator: a body, a head, and their optimizer. Arguments as of `critic`, but for the targets' function."""

    def __init__(
        self,
        materials: Materials,
        targets: Callable[[Batch], CriticCredit],
        *,
        clip: float | None,
        updates: int,
        learning_rate: float,
    ) -> None:
        self.body = materials.load_start()
        self.head = _zero_head(self.body)
        self._max_tokens = materials.max_tokens
        self._targets = targets
        self._clip = clip
        self._updates = updates
        self._num_batches = 0
        self._parameters = [
            *self.body.parameters(),
            *((f"value_head.{name}", value) for name, value in self.head.named_parameters()),
        ]
        self._optimizer = adamw(self._parameters, learning_rate=learning_rate)

    @torch.no_grad()
    def annotate(self, batch: Batch, groups: Sequence[Group]) -> Batch:
        """The batch with the values that the critic gives as it is."""
        parts = [self._values(part.to(self.body.device)) for part in consecutive(batch, self._max_tokens)]
        return replace(batch, value_T=torch.cat(parts).to(batch.token_T.device))

    def update(self, batch: Batch) -> Mapping[str, float]:
        """Steps towards the returns of the batch, whose values were given before."""
        num, metrics = min(self._updates, batch.num_trajectories), dict[str, float]()
        for part in minibatches(batch, num, seed=self._num_batches):
            metrics = self._step(replace(part, weight_T=token_mean(part)))
        self._num_batches += 1
        return metrics

    def save(self, directory: Path) -> None:
        """Write the body, the head and their optimizer."""
        self.body.save(directory / "body")
        state = {
            "head": self.head.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "num_batches": self._num_batches,
        }
        torch.save(state, directory / "critic.pt")

    def load(self, directory: Path) -> None:
        """Go on with what was saved."""
        self.body.load_weights(directory / "body")
        state = torch.load(directory / "critic.pt", map_location="cpu", weights_only=True)
        self.head.load_state_dict(state["head"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._num_batches = state["num_batches"]

    def _step(self, batch: Batch) -> dict[str, float]:
        """One optimizer step, on whole trajectories with their weights."""
        target_T = self._targets(batch).target_T
        parts = consecutive(batch, self._max_tokens)
        total = 0.0
        for part, part_target_T in zip(parts, target_T.split([part.num_tokens for part in parts]), strict=True):
            part = part.to(self.body.device)
            assert part.weight_T is not None
            aim_T = part_target_T.to(self.body.device)
            loss = (part.weight_T * value_loss(self._values(part), part, target_T=aim_T, clip=self._clip)).sum()
            loss.backward()
            total += loss.item()
        norm, applied = apply_gradients(self._optimizer, (value for _, value in self._parameters), max_norm=1.0)
        return {
            "learn/value_loss": total,
            "learn/value_gradient_norm": norm,
            "learn/value_explained": _explained(batch, target_T),
            "learn/value_skipped": float(not applied),
        }

    def _values(self, batch: Batch) -> Tensor:
        """Read off the state before each sampled token.

        Shapes: returns [T]; 0 off-action.
        """
        index_N = batch.action_T.nonzero().squeeze(1)
        state_ND = self.body.hidden(batch).index_select(0, index_N - 1).to(self.head.weight.dtype)
        value_N = self.head(state_ND).squeeze(1)
        return value_N.new_zeros(batch.num_tokens).index_put((index_N,), value_N)


def _zero_head(body: Policy) -> nn.Linear:
    """A head that gives 0 for every state, in single precision at least."""
    config: Any = body.model.config.get_text_config()
    dtype = torch.promote_types(body.model.dtype, torch.float32)
    head = nn.Linear(config.hidden_size, 1, device=body.device, dtype=dtype)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def _explained(batch: Batch, target_T: Tensor) -> float:
    """The share of the targets' variance that the values explain; 0 for a critic that says the same everywhere."""
    assert batch.value_T is not None
    target_N, value_N = target_T[batch.action_T], batch.value_T[batch.action_T]
    variance = target_N.var(correction=0)
    return float(1 - (target_N - value_N).var(correction=0) / variance) if variance > 0 else 0.0
