"""Annotator: what one can do, and what one is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agentrl.learning.batch import Batch
from agentrl.learning.policy import Policy
from agentrl.trajectory import Group, Task


class Annotator(Protocol):
    """Fills columns of a batch that need a model, and may learn from the batch how to fill them."""

    def annotate(self, batch: Batch, groups: Sequence[Group]) -> Batch:
        """The batch with this annotator's columns, before credit is assigned.

        Args:
            batch: As collected, with the columns of the annotators before this one.
            groups: What it was packed from.
        """
        ...

    def update(self, batch: Batch) -> Mapping[str, float]:
        """Learn from the batch, after the policy has: what is measured meanwhile.

        Args:
            batch: With this annotator's columns and the advantages.
        """
        ...

    def save(self, directory: Path) -> None:
        """Write what it takes to go on into an empty directory."""
        ...

    def load(self, directory: Path) -> None:
        """Go on from what `save` wrote."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """What annotators are made of."""

    policy: Policy  # the one that is trained, as it is whenever it is asked
    load_start: Callable[[], Policy]  # a fresh copy of the policy as it was before reinforcement learning
    load_model: Callable[[str], Policy]  # any other, by directory or name
    temperature: float = 1.0  # the one the tokens are sampled at
    max_tokens: int = 8192  # most tokens in one forward pass
    encode: Callable[[str], Sequence[int]]  # the ids of a text, as the run's renderer makes them
    opening_ids: Sequence[int] = ()  # what closes the last message of a prompt and opens the assistant's
    answers: Callable[[Task], Sequence[str]] | None = None  # see `Suite.answers`


def no_measure(batch: Batch) -> Mapping[str, float]:
    """Nothing."""
    return {}


@dataclass(frozen=True, slots=True)
class Scorer:
    """An annotator that learns nothing, made from the function that fills its columns."""

    fill: Callable[[Batch, Sequence[Group]], Batch]
    measure: Callable[[Batch], Mapping[str, float]] = no_measure  # what is worth knowing about the columns

    def annotate(self, batch: Batch, groups: Sequence[Group]) -> Batch:
        """The batch with the columns."""
        return self.fill(batch, groups)

    def update(self, batch: Batch) -> Mapping[str, float]:
        """What is worth knowing about the columns."""
        return self.measure(batch)

    def save(self, directory: Path) -> None:
        """Nothing is kept."""

    def load(self, directory: Path) -> None:
        """Nothing was kept."""
