"""Betas: what is believed of each task's success rate, as counts of successes and failures that fade."""

from collections.abc import Mapping
from typing import Any


class Betas:
    """A Beta distribution a task, by its index; the prior's until something has been observed.

    Args:
        prior: Counts of successes and failures before anything has been observed.
    """

    def __init__(self, prior: tuple[float, float]) -> None:
        self._prior = prior
        self._counts: dict[int, tuple[float, float]] = {}

    def counts(self, index: int) -> tuple[float, float]:
        """The two parameters of the task's distribution."""
        return self._counts.get(index, self._prior)

    def mean(self, index: int) -> float:
        """The expected success rate."""
        successes, failures = self.counts(index)
        return successes / (successes + failures)

    def set(self, index: int, counts: tuple[float, float]) -> None:
        """Believe this of the task, whatever was observed."""
        self._counts[index] = counts

    def observe(self, index: int, successes: float, failures: float, *, keep: float, renew: float = 0.0) -> None:
        """Add to the counts, after `keep` of them remained and `renew` of the prior came to them."""
        a, b = self.counts(index)
        a0, b0 = self._prior
        self._counts[index] = (keep * a + renew * a0 + successes, keep * b + renew * b0 + failures)

    def state_dict(self) -> dict[str, Any]:
        """The counts of the tasks that were observed."""
        return {str(index): list(counts) for index, counts in self._counts.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._counts = {int(index): (a, b) for index, (a, b) in state.items()}
