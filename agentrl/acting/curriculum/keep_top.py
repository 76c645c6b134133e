"""Keep-top: of all groups, the share whose rewards differ most."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from agentrl.acting.curriculum import Curriculum, Draw, Uniform
from agentrl.acting.curriculum.patience import Patience
from agentrl.acting.curriculum.score import spread
from agentrl.errors import ConfigError
from agentrl.trajectory import Group, Task


class KeepTop:
    """Keeps a group if its spread of total rewards is among the top share of the last groups'; chance decides ties.

    Args:
        tasks: What is drawn from.
        seed: Of the inner curriculum, and of the chance that decides ties.
        inner: What draws the tasks; it learns from all groups. None: `Uniform`.
        share: Of the groups, kept.
        window: How many of the last groups a group is compared with; `groups_per_step` is the paper's batch.
        max_left_out: How many groups may be left out in a row before they are kept as they are.

    Source: SPEAR, arXiv 2509.22601, the filter of its baseline Dr.BoT (75%), in its `ray_trainer_hybrid.py`; D3S, arXiv
        2509.22115, chooses rollouts by the variance of advantages.
    Differs: A group is compared with the last ones, its own batch or not; what is left out is replaced by new groups.
        Of D3S this is the idea alone, at the level of groups.
    Checked: SPEAR's rule against a description of the official code; D3S from the paper's abstract alone.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        seed: int = 0,
        inner: Curriculum | None = None,
        share: float = 0.75,
        window: int = 64,
        max_left_out: int = 128,
    ) -> None:
        if not 0 < share <= 1 or window < 1:
            raise ConfigError(f"share must be in (0, 1] and window at least 1; got {share} and {window}.")
        self._inner = inner or Uniform(tasks, seed=seed)
        self._seed = seed
        self._share = share
        self._window = window
        self._last: list[float] = []  # spreads
        self._num_seen = 0
        self._patience = Patience(max_left_out, stops=False, lack="differed less than those before them")

    def draw(self) -> Draw | None:
        """What the inner curriculum draws."""
        return self._inner.draw()

    def select(self, groups: Sequence[Group]) -> list[Group]:
        """Those whose spread is in the top share of the last groups', themselves included."""
        kept = self._inner.select(groups)
        spreads = [spread(group) for group in kept]
        self._last = (self._last + spreads)[-max(self._window, len(spreads)) :]
        return [group for group, own in zip(kept, spreads, strict=True) if self._patience.keeps(self._is_top(own))]

    def _is_top(self, own: float) -> bool:
        chance = random.Random(f"{self._seed}/tie/{self._num_seen}").random()
        self._num_seen += 1
        num_above = sum(other > own for other in self._last)
        num_equal = sum(other == own for other in self._last)
        return num_above + chance * num_equal < self._share * len(self._last)

    def state_dict(self) -> dict[str, Any]:
        """The inner curriculum's, and the last spreads."""
        return {
            "inner": self._inner.state_dict(),
            "last": list(self._last),
            "num_seen": self._num_seen,
            "num_left_out": self._patience.num_left_out,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._inner.load_state_dict(state["inner"])
        self._last = list(state["last"])
        self._num_seen = state["num_seen"]
        self._patience.num_left_out = state["num_left_out"]
