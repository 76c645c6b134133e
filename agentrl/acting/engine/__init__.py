"""Engines sample tokens. This file is the seam: what every engine takes and gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to sample one completion."""

    max_tokens: int
    temperature: float = 1.0  # 0 takes the likeliest token; log-probs are then those at temperature 1
    stop_ids: tuple[int, ...] = ()  # sampling ends after the first of these, which is part of the completion
    entropies: bool = False  # return the entropy of the distribution each token was drawn from
    seed: int | None = None  # same seed, prompt and weights => same ids, whatever else is being sampled


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the engine sampled."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]  # nats, one per id, under the distribution it was drawn from
    entropies: tuple[float, ...] = ()  # nats, one per id, when asked for
    version: int = 0  # of the weights that sampled the first id
    truncated: bool = False  # True where max_tokens ended it


class Engine(Protocol):
    """Samples tokens, for many callers at once."""

    async def generate(self, prompt_ids: Sequence[int], sampling: Sampling, *, session: str = "") -> Completion:
        """One completion of `prompt_ids`.

        Args:
            prompt_ids: The whole sequence so far.
            sampling: How to sample.
            session: Names the trajectory, so that an engine may keep what it computed for the turns before.

        Raises:
            EngineError: The engine failed.
        """
        ...

    def release(self, session: str) -> None:
        """Forget what was kept for the session; unknown sessions are fine."""
        ...

    async def close(self) -> None:
        """Free everything; idempotent."""
        ...
