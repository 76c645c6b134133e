"""In order: the tasks as they come, each once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agentrl.acting.curriculum import Draw
from agentrl.trajectory import Group, Task


class InOrder:
    """Draws what an iterable gives, and keeps every group. It has no state: it cannot go on where it stopped."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)

    def draw(self) -> Draw | None:
        """The next task; None after the last."""
        task = next(self._tasks, None)
        return None if task is None else Draw(task=task)

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """All of them."""
        return list(groups)

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to go on from."""
