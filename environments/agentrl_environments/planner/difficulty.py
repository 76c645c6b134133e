"""Difficulty: what is asked, how large the worlds are, how long the loop may go on. One row of a table each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from agentrl.errors import ConfigError
from agentrl_environments.planner.questions import SHORT_KINDS, TOOLS_OF_KIND, Kind
from agentrl_environments.planner.tools import TOOLS
from agentrl_environments.planner.worlds import PEOPLE, TOWNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """The numbers that tasks are generated from, and what ends the loop."""

    name: str
    max_steps: int  # of the planner; then the generator has to answer with what there is
    max_seconds: float = 500.0  # of the loop; likewise
    kinds: tuple[Kind, ...] = tuple(Kind)  # of questions, all equally likely
    num_people: int = 8
    num_towns: int = 8
    is_compact: bool = False  # short questions, prompts without instructions, plans of one line; and only the tools
    # without which the questions cannot be answered

    def __post_init__(self) -> None:
        if self.max_steps < 1 or not self.max_seconds > 0:
            raise ConfigError(
                f"The difficulty {self.name!r} has max_steps={self.max_steps}, max_seconds={self.max_seconds}; there "
                f"must be 1 step or more, and time."
            )
        for count, names in ((self.num_people, PEOPLE), (self.num_towns, TOWNS)):
            if not 2 <= count <= len(names):
                raise ConfigError(
                    f"The difficulty {self.name!r} has {count} people or towns; 2 to {len(names)} can be."
                )
        wordless = [kind for kind in self.kinds if self.is_compact and kind not in SHORT_KINDS]
        if wordless or not self.kinds:
            known = ", ".join(SHORT_KINDS if self.is_compact else Kind)
            raise ConfigError(f"The difficulty {self.name!r} asks {list(self.kinds)}; it may ask {known}.")

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the bundled tools that are offered."""
        needed = {tool for kind in self.kinds for tool in TOOLS_OF_KIND[kind]}
        return tuple(name for name in TOOLS if name in needed or not self.is_compact)


_ROWS = (
    Difficulty(name="standard", max_steps=8),
    Difficulty(name="quick", max_steps=5, kinds=SHORT_KINDS, is_compact=True),
)
DIFFICULTIES: Mapping[str, Difficulty] = MappingProxyType({row.name: row for row in _ROWS})


def difficulty_of(name: str) -> Difficulty:
    """The row of that name.

    Raises:
        ConfigError: There is none.
    """
    if name not in DIFFICULTIES:
        raise ConfigError(f"planner has no difficulty {name!r}; it has {', '.join(DIFFICULTIES)}.")
    return DIFFICULTIES[name]
