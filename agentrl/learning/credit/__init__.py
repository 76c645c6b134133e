"""Credit: from a batch to the advantage of each of its tokens, by pure functions.

Each works on turns or trajectories and ends with `Batch.turn_to_token`; it sees the whole collected batch, before
that is split or dealt out. What needs a model is in the batch already, as a column.
"""

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

from torch import Tensor

from agentrl.learning.batch import Batch
from agentrl.learning.credit.anchor import gigpo
from agentrl.learning.credit.outcome import dapo, grpo, reinforce, rloo
from agentrl.learning.credit.turn import turn_return

Credit: TypeAlias = Callable[[Batch], Tensor]

CREDIT: MappingProxyType[str, Credit] = MappingProxyType(
    {
        "dapo": dapo,
        "dr_grpo": partial(grpo, std=False),
        "gigpo": gigpo,
        "grpo": grpo,
        "reinforce": reinforce,
        "rloo": rloo,
        "turn_return": turn_return,
    }
)
