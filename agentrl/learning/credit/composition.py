"""Credit on top of credit: what the functions share that modify the advantages which another one gives.

Such a function takes the other one as `base`; by default that is GRPO's.
"""

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch

Credit: TypeAlias = Callable[[Batch], Tensor]  # batch -> advantage_T


def sampling_entropy(batch: Batch) -> Tensor:
    """The entropy of the distribution that each token was sampled from, in nats.

    Raises:
        ConfigError: The batch has no entropies.

    Shapes: returns entropy_T [T] f64.
    """
    if batch.entropy_T is None:
        raise ConfigError(
            "The entropy of each sampled token is needed, and the batch has none: choose an algorithm that asks the "
            "sampler for them (needs_entropies=True), with an engine that returns them, or add the annotator 'entropy'."
        )
    return batch.entropy_T.double()
