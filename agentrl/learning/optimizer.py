"""Optimizers and learning-rate schedules."""

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW, Muon

from agentrl.errors import ConfigError

Schedule: TypeAlias = Callable[[int], float]  # number of steps taken -> factor of the learning rate


class Optimizer:
    """One or several torch optimizers that step together, each at its own learning rate times the schedule's factor."""

    def __init__(self, parts: Iterable[torch.optim.Optimizer]) -> None:
        self._parts = tuple(parts)
        self._rates = [[group["lr"] for group in part.param_groups] for part in self._parts]

    def step(self, factor: float = 1.0) -> None:
        """Apply the gradients, with learning rates scaled by `factor`."""
        for part, rates in zip(self._parts, self._rates, strict=True):
            for group, rate in zip(part.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            part.step()

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """What is needed to go on."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        for part, stored in zip(self._parts, state["parts"], strict=True):
            part.load_state_dict(stored)


def apply_gradients(
    optimizer: Optimizer, parameters: Iterable[nn.Parameter], *, max_norm: float, factor: float = 1.0
) -> tuple[float, bool]:
    """The norm of the gradients that have been added up, and whether they were applied; they are dropped after that.

    They are not applied where there are none, or where they are not finite.

    Args:
        optimizer: Of the parameters.
        parameters: Whose gradients they are.
        max_norm: They are scaled down to this norm.
        factor: Of the learning rates.
    """
    owners = [value for value in parameters if value.grad is not None]
    norm = clip_grad_norm_(owners, max_norm).item() if owners else 0.0
    applied = bool(owners) and norm < float("inf")  # False for a norm that is no number
    if applied:
        optimizer.step(factor)
    optimizer.zero_grad()
    return norm, applied


def adamw(
    parameters: Iterable[tuple[str, nn.Parameter]],
    *,
    learning_rate: float,
    weight_decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
) -> Optimizer:
    """AdamW; only matrices decay, never norms and biases."""
    matrices, others = [], []
    for _, value in parameters:
        (matrices if value.ndim >= 2 else others).append(value)
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return Optimizer([AdamW([group for group in groups if group["params"]], lr=learning_rate, betas=betas)])


def muon(
    parameters: Iterable[tuple[str, nn.Parameter]],
    *,
    learning_rate: float,
    adamw_learning_rate: float,
    adjust: str = "original",
    weight_decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
) -> Optimizer:
    """Muon for the matrices of the hidden layers; AdamW for embeddings, norms and biases.

    Args:
        parameters: By name.
        learning_rate: Muon's.
        adamw_learning_rate: AdamW's.
        adjust: How Muon scales its steps with the shape of a matrix: `original`, or `match_rms_adamw`, under which
            learning rates mean what they mean to AdamW.
        weight_decay: Muon's; what AdamW is given does not decay.
        betas: AdamW's.
    """
    hidden, others = [], []
    for name, value in parameters:
        outer = "embed" in name or "lm_head" in name or value.ndim != 2
        (others if outer else hidden).append(value)
    if not hidden:
        raise ConfigError("Muon found no matrices in hidden layers; use adamw for this model.")
    return Optimizer(
        [
            Muon(hidden, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn=adjust),
            AdamW(others, lr=adamw_learning_rate, weight_decay=0.0, betas=betas),
        ]
    )


OPTIMIZERS: Mapping[str, Callable[..., Optimizer]] = MappingProxyType({"adamw": adamw, "muon": muon})


def schedule(kind: str = "constant", *, warmup: int = 0, total: int | None = None, floor: float = 0.0) -> Schedule:
    """A pure function from the number of steps taken to the factor of the learning rate.

    Args:
        kind: `constant`, `linear` or `cosine`.
        warmup: Steps over which the factor rises to 1.
        total: Steps after which it has come down to `floor`; linear and cosine need it.
        floor: Where it ends.
    """
    if kind not in _DECAYS:
        raise ConfigError(f"There is no schedule {kind!r}; there are {', '.join(_DECAYS)}.")
    if kind != "constant" and (total is None or total <= warmup):
        raise ConfigError(f"A {kind} schedule needs `total` steps, more than warmup = {warmup}; got {total}.")
    decay = _DECAYS[kind]

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        if total is None:
            return 1.0
        return floor + (1 - floor) * decay(min(1.0, (step - warmup) / (total - warmup)))

    return factor


def constant(step: int) -> float:
    """The schedule that changes nothing."""
    return 1.0


_DECAYS: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "constant": lambda progress: 1.0,
        "linear": lambda progress: 1 - progress,
        "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
    }
)
