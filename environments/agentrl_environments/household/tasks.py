"""Tasks of generated houses, in disjoint splits.

Which split a house belongs to is written in its fingerprint, so no house with its goal is in two of them; a split's
seeds are those, drawn in order, whose houses belong to it.
"""

from collections.abc import Mapping
from functools import partial
from hashlib import blake2b
from types import MappingProxyType

from agentrl.acting.suite import Tasks
from agentrl.trajectory import Task
from agentrl_environments.household.difficulty import Difficulty
from agentrl_environments.household.houses import fingerprint, generate

NUM_TASKS: Mapping[str, int] = MappingProxyType({"train": 100_000, "valid": 1_000, "test": 1_000})
_SPLIT_OF_BITS = ("train", "train", "valid", "test")  # by the fingerprint's first two bits


def generated_splits(difficulty: Difficulty) -> Mapping[str, Tasks]:
    """The tasks of the difficulty, by split; each house is generated when its task is asked for."""
    return {split: Tasks(partial(_task, difficulty, split), count) for split, count in NUM_TASKS.items()}


def split_of(difficulty: Difficulty, seed: int) -> str:
    """The split to which the house of that seed belongs."""
    return _SPLIT_OF_BITS[fingerprint(generate(seed, difficulty))[0] >> 6]


def _task(difficulty: Difficulty, split: str, index: int) -> Task:
    attempt = 0
    while split_of(difficulty, seed := _seed(split, index, attempt)) != split:
        attempt += 1
    house = generate(seed, difficulty)
    data = {"difficulty": difficulty.name, "kind": house.goal.kind.value, "task": house.task}
    return Task(f"household-{difficulty.name}-{split}-{index}", seed, data)


def _seed(split: str, index: int, attempt: int) -> int:
    return int.from_bytes(blake2b(f"{split}/{index}/{attempt}".encode(), digest_size=6).digest())
