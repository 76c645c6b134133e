"""Dynamic sampling: groups that cannot teach anything are replaced by others."""

from collections.abc import Mapping, Sequence
from typing import Any

from agentrl.acting.curriculum import Curriculum, Draw, Uniform
from agentrl.acting.curriculum.patience import Patience
from agentrl.acting.curriculum.score import spread
from agentrl.trajectory import Group, Task


class Dynamic:
    """Leaves out groups whose trajectories all have the same total reward: compared with each other, they say nothing.

    A group of one is kept, since it is compared with something else. For algorithms that compare turns rather than
    trajectories, a group that is left out may have had something to say.

    Args:
        tasks: What is drawn from.
        seed: Of the inner curriculum.
        inner: What draws the tasks; it learns from all groups. None: `Uniform`.
        max_left_out: How many groups may be left out in a row.
        stops: Whether the run ends at that limit; otherwise it goes on with the groups as they are.

    Source: DAPO, arXiv 2503.14476, section 3.2; verl recipe/dapo, `filter_groups`.
    Differs: The limit counts groups in a row (officially ten batches for one), and by default it ends the filtering and
        not the run.
    Checked: Against the formulas re-typed from the official code.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        seed: int = 0,
        inner: Curriculum | None = None,
        max_left_out: int = 128,
        stops: bool = False,
    ) -> None:
        self._inner = inner or Uniform(tasks, seed=seed)
        self._patience = Patience(max_left_out, stops=stops, lack="had no spread of rewards")

    def draw(self) -> Draw | None:
        """What the inner curriculum draws."""
        return self._inner.draw()

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """Those with spread, or of one trajectory."""
        kept = self._inner.select(groups)
        return [group for group in kept if self._patience.keeps(len(group.trajectories) == 1 or spread(group) > 0)]

    def state_dict(self) -> dict[str, Any]:
        """The inner curriculum's, and how many groups were left out in a row."""
        return {"inner": self._inner.state_dict(), "num_left_out": self._patience.num_left_out}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._inner.load_state_dict(state["inner"])
        self._patience.num_left_out = state["num_left_out"]
