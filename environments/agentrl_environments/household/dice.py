"""Dice: random choices that come out the same on any machine and with any Python.

Of `random`, only the sequence of `Random.random` is promised to stay; so that is all that is used of it.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A seeded source of choices."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self._random() < probability

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self._random() * len(items))]

    def weigh(self, items: Sequence[T], weights: Sequence[float]) -> T:
        """One of the items, in proportion to the weights; any of them where all weights are 0."""
        total = sum(weights)
        if total <= 0:
            return self.pick(items)
        rest = self._random() * total
        for item, weight in zip(items, weights, strict=True):
            rest -= weight
            if rest < 0:
                return item
        return items[-1]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a random order."""
        keyed = [(self._random(), index) for index in range(len(items))]
        return [items[index] for _, index in sorted(keyed)]
