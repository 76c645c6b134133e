"""Choosing an algorithm by name, with other functions, parts and numbers where a run says so."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from agentrl.choice import checked, choose, hint, keywords
from agentrl.errors import ConfigError
from agentrl.learning.algorithms.row import Algorithm, Part
from agentrl.learning.algorithms.table import ALGORITHMS
from agentrl.learning.credit import CREDIT, Credit
from agentrl.learning.losses import (
    AGGREGATION,
    CORRECTION,
    KL,
    NEEDS_ENTROPIES,
    NEEDS_STEP_LOGPROBS,
    SURROGATE,
    SURVEY,
)

_TABLES: Mapping[str, Mapping[str, Any]] = {
    "credit": CREDIT,
    "surrogate": SURROGATE,
    "survey": SURVEY,
    "aggregation": AGGREGATION,
    "correction": CORRECTION,
    "kl": KL,
}
_FUNCTIONS = ("credit", "surrogate", "survey", "aggregation", "correction")  # those that take arguments
_SETTINGS = {"kl_coefficient": float, "kl_in_reward": bool, "entropy_coefficient": float, "needs_step_logprobs": bool}
_PARTS = ("explorer", "curriculum", "imitation")


def algorithm(name: str, **arguments: Any) -> Algorithm:
    """The row called `name`, with other functions, parts or numbers where arguments say so.

    Args:
        name: A key of ALGORITHMS.
        arguments: `credit`, `surrogate`, `survey`, `aggregation`, `correction`, `kl`: a name in their table,
            "module:function", or a function; whatever the first five take by keyword; `kl_coefficient`, `kl_in_reward`,
            `entropy_coefficient`, `needs_step_logprobs`; `explorer`, `curriculum`, `imitation`: a name, or a mapping
            with the part's arguments and, if it is to be another part than the row's, its `name`; `annotators`: a list
            of such. A surrogate of the table brings its survey along.

    Raises:
        ConfigError: There is no such row, function or argument, or a value is of the wrong type.

    Example:
        algorithm("gigpo", discount=0.9, step_weight=0.5, clip_high=0.28, explorer={"name": "branch", "initial": 4})
    """
    row: Algorithm = choose(ALGORITHMS, name, "algorithm")
    functions = {key: _function(key, arguments[key]) for key in _TABLES if key in arguments}
    row = replace(row, **_companions(arguments, row), **functions)
    for key in _PARTS:
        if key in arguments:
            row = replace(row, **{key: _part(key, arguments[key], getattr(row, key))})
    if "annotators" in arguments:
        row = replace(row, annotators=_annotators(arguments["annotators"], row))
    chosen = {*_TABLES, *_PARTS, "annotators"}
    for key, value in arguments.items():
        if key not in chosen:
            row = _with_argument(row, name, key, value)
    return row


def _companions(arguments: Mapping[str, Any], row: Algorithm) -> dict[str, Any]:
    """What comes along with a surrogate, or a survey, that is chosen by name."""
    chosen = arguments.get("survey", arguments.get("surrogate"))
    if chosen is None:
        return {}
    name = chosen if isinstance(chosen, str) else ""
    survey = {} if "survey" in arguments else {"survey": SURVEY.get(name)}
    needs_entropies = row.needs_entropies or name in NEEDS_ENTROPIES
    return {"needs_step_logprobs": name in NEEDS_STEP_LOGPROBS, "needs_entropies": needs_entropies, **survey}


def _part(key: str, value: Any, present: Part | None) -> Part:
    if isinstance(value, str):
        return Part(value)
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key} must be a name, or a mapping of arguments and a name; got {value!r}.")
    arguments = dict(cast(Mapping[str, Any], value))
    name = arguments.pop("name", present.name if present else None)
    if not isinstance(name, str):
        raise ConfigError(f"{key} = {value!r} does not say which: add its name.")
    if present and name == present.name:
        arguments = {**present.arguments, **arguments}
    return Part(name, arguments)


def _annotators(value: Any, row: Algorithm) -> tuple[Part, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConfigError(f"annotators must be a list of names or mappings; got {value!r}.")
    present = {part.name: part for part in row.annotators}
    parts = [_part("annotators", entry, None) for entry in cast(Sequence[Any], value)]
    return tuple(_part("annotators", {"name": part.name, **part.arguments}, present.get(part.name)) for part in parts)


def _function(part: str, value: Any) -> Any:
    if callable(value):
        return value
    if isinstance(value, str):
        return choose(_TABLES[part], value, part)
    raise ConfigError(f"{part} must be a name, 'module:function' or a function; got {value!r}.")


def _with_argument(row: Algorithm, name: str, key: str, value: Any) -> Algorithm:
    """The row with the argument bound to each of its functions that takes one of that name and of the value's type."""
    if key in _SETTINGS:
        return replace(row, **{key: _checked(key, value, _SETTINGS[key])})
    functions = {part: getattr(row, part) for part in _FUNCTIONS if getattr(row, part) is not None}
    words = {part: keywords(function) for part, function in functions.items()}
    takers = [part for part in functions if key in words[part]]
    if not takers:
        own = (word for taken in words.values() for word in taken)
        accepted = sorted({*_TABLES, *_SETTINGS, *_PARTS, "annotators", *own})
        raise ConfigError(f"The algorithm {name!r} takes no argument {key!r}. {hint(key, accepted)}")
    bound: dict[str, Any] = {}
    refusals: list[ConfigError] = []
    for part in takers:
        try:
            bound[part] = partial(functions[part], **{key: _checked(key, value, words[part][key].annotation)})
        except ConfigError as error:
            refusals.append(error)
    if not bound:
        raise refusals[0]
    return replace(row, **bound)


def _checked(key: str, value: Any, kind: Any) -> Any:
    return _credit(value) if kind is Credit else checked(key, value, kind)


def _credit(value: Any) -> Credit:
    """What another credit function builds on: a name, a function, or a mapping of a name and its arguments."""
    if not isinstance(value, Mapping):
        return _function("credit", value)
    part = _part("base", value, None)
    function = _function("credit", part.name)
    words = keywords(function)
    for key in part.arguments:
        if key not in words:
            raise ConfigError(f"The credit function {part.name!r} takes no argument {key!r}. {hint(key, list(words))}")
    return partial(
        function, **{key: _checked(key, value, words[key].annotation) for key, value in part.arguments.items()}
    )
