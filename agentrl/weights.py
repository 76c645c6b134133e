"""How new weights reach the engine: with train.py, one of the two bridges between learning and acting."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from agentrl.learning.policy import Policy


class Updatable(Protocol):
    """An engine whose weights can be replaced while it serves."""

    async def update(self, weights: Mapping[str, Tensor], version: int) -> None:
        """Sample from these weights from now on."""
        ...


async def publish(policy: Policy, engine: Updatable, version: int) -> None:
    """Give the engine the policy's weights under that version; the policy must not train meanwhile."""
    await engine.update(policy.weights(), version)
