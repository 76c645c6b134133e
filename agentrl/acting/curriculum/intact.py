"""Intact: groups in which too many trajectories were cut off, or acted on nothing, are replaced by others."""

from collections.abc import Mapping, Sequence
from typing import Any

from agentrl.acting.curriculum import Curriculum, Draw, Uniform
from agentrl.acting.curriculum.patience import Patience
from agentrl.trajectory import Group, Outcome, Task, Trajectory

_CUT_OFF = (Outcome.TURN_LIMIT, Outcome.TOKEN_LIMIT, Outcome.TIME_LIMIT)


class Intact:
    """Leaves out groups of which more than a share was cut off by a limit, or had a turn without any action.

    Args:
        tasks: What is drawn from.
        seed: Of the inner curriculum.
        inner: What draws the tasks; it learns from all groups. None: `Uniform`.
        max_cut_off: Share of a group's trajectories that may have reached a limit.
        max_void: Share of a group's trajectories that may hold a turn which the environment could not try.
        max_left_out: How many groups may be left out in a row.
        stops: Whether the run ends at that limit; otherwise it goes on with the groups as they are.

    Source: The overlong filter of DAPO, arXiv 2503.14476, section 3.4, and the void-turn filter of SimpleTIR, arXiv
        2509.02479, recipe/simpletir; both are part of Dr.BoT in SPEAR, arXiv 2509.22601.
    Differs: Those mask single trajectories, which remain part of their group's statistics. Here whole groups go.
    Checked: There is nothing official to check it against.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        seed: int = 0,
        inner: Curriculum | None = None,
        max_cut_off: float = 0.5,
        max_void: float = 0.5,
        max_left_out: int = 128,
        stops: bool = False,
    ) -> None:
        self._inner = inner or Uniform(tasks, seed=seed)
        self._max_cut_off = max_cut_off
        self._max_void = max_void
        self._patience = Patience(max_left_out, stops=stops, lack="were cut off or held turns without an action")

    def draw(self) -> Draw | None:
        """What the inner curriculum draws."""
        return self._inner.draw()

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """Those that are intact enough."""
        return [group for group in self._inner.select(groups) if self._patience.keeps(self._is_intact(group))]

    def _is_intact(self, group: Group) -> bool:
        num_cut_off = sum(trajectory.outcome in _CUT_OFF for trajectory in group.trajectories)
        num_void = sum(_is_void(trajectory) for trajectory in group.trajectories)
        num = len(group.trajectories)
        return num_cut_off <= self._max_cut_off * num and num_void <= self._max_void * num

    def state_dict(self) -> dict[str, Any]:
        """The inner curriculum's, and how many groups were left out in a row."""
        return {"inner": self._inner.state_dict(), "num_left_out": self._patience.num_left_out}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._inner.load_state_dict(state["inner"])
        self._patience.num_left_out = state["num_left_out"]


def _is_void(trajectory: Trajectory) -> bool:
    return not all(turn.valid for turn in trajectory.turns)
