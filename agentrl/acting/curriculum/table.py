"""The curricula by name, and how one is made from what a run file says."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from agentrl.acting.curriculum import Curriculum, Uniform
from agentrl.acting.curriculum.bandit import Bandit
from agentrl.acting.curriculum.dynamic import Dynamic
from agentrl.acting.curriculum.history import History
from agentrl.acting.curriculum.intact import Intact
from agentrl.acting.curriculum.intermediate import Intermediate
from agentrl.acting.curriculum.keep_top import KeepTop
from agentrl.acting.curriculum.knapsack import Knapsack
from agentrl.acting.curriculum.stages import Stages
from agentrl.acting.curriculum.thompson import Thompson
from agentrl.acting.curriculum.vade import Vade
from agentrl.acting.curriculum.value import Value
from agentrl.choice import checked_arguments, choose
from agentrl.errors import ConfigError
from agentrl.trajectory import Task

CURRICULA: MappingProxyType[str, Callable[..., Curriculum]] = MappingProxyType(
    {
        # What draws tasks.
        "uniform": Uniform,
        "thompson": Thompson,
        "vade": Vade,
        "value": Value,
        "intermediate": Intermediate,
        "knapsack": Knapsack,
        "bandit": Bandit,
        "stages": Stages,
        # What goes around one of these, its `inner`.
        "dynamic": Dynamic,
        "keep_top": KeepTop,
        "intact": Intact,
        "history": History,
    }
)


def make_curriculum(
    name: str, tasks: Sequence[Task], *, seed: int = 0, arguments: Mapping[str, Any] | None = None
) -> Curriculum:
    """The curriculum called `name`, for these tasks.

    Args:
        name: A key of CURRICULA, or "module:class".
        tasks: What is drawn from.
        seed: Same seed and same groups => same draws.
        arguments: Its other arguments. An `inner` curriculum is a name, or a mapping of its name and arguments.

    Raises:
        ConfigError: There is no such curriculum, it does not take these arguments, or there are no tasks.

    Example:
        make_curriculum("dynamic", tasks, arguments={"inner": {"name": "thompson", "decay": 0.7}})
    """
    make = choose(CURRICULA, name, "curriculum")
    given = dict(arguments or {})
    inside: dict[str, Curriculum] = {}
    if "inner" in given and "inner" in inspect.signature(make).parameters:
        inside["inner"] = _inner(given.pop("inner"), tasks, seed)
    return make(tasks, **{"seed": seed, **inside, **checked_arguments(make, given, f"The curriculum {name!r}")})


def _inner(value: Any, tasks: Sequence[Task], seed: int) -> Curriculum:
    if isinstance(value, str):
        return make_curriculum(value, tasks, seed=seed)
    if not isinstance(value, Mapping) or "name" not in value:
        raise ConfigError(f"inner must be a name, or a mapping of a name and arguments; got {value!r}.")
    arguments = dict(cast(Mapping[str, Any], value))
    return make_curriculum(arguments.pop("name"), tasks, seed=seed, arguments=arguments)
