"""The algorithms: one literal table, in which one row is one paper. Your own is a row, or your own functions."""

import importlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from types import MappingProxyType
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.credit import CREDIT, Credit
from agentrl.learning.credit.anchor import gigpo
from agentrl.learning.credit.outcome import dapo, grpo, reinforce, rloo
from agentrl.learning.credit.turn import turn_return
from agentrl.learning.losses import (
    AGGREGATION,
    CORRECTION,
    KL,
    SURROGATE,
    Aggregation,
    Correction,
    Divergence,
    LossSums,
    Surrogate,
    total_loss,
)
from agentrl.learning.losses import ratio as surrogates
from agentrl.learning.losses.aggregation import constant, token_mean, trajectory_mean, trajectory_mean_token_sum
from agentrl.learning.losses.kl import k3
from agentrl.learning.losses.ratio import ppo_clip


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a run outside the learning half's pure functions: its name in its table, and its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """What is done with a batch: three pure functions, the terms beside the surrogate, and what feeds them."""

    credit: Credit  # batch -> advantage_T, on the whole collected batch
    surrogate: Surrogate  # (logprob_T, batch) -> loss_T
    aggregation: Aggregation  # batch -> weight_T, on the batch of one optimizer step
    kl: Divergence = k3  # (logprob_T, reference_logprob_T) -> kl_T
    kl_coefficient: float = 0.0  # not 0: the batch needs reference log-probabilities
    kl_in_reward: bool = False  # the KL term is taken off the rewards before credit, instead of added to the loss
    entropy_coefficient: float = 0.0  # not 0: the forward pass must give entropies
    correction: Correction | None = None  # batch -> factor_T of the weights, for a sampler unlike the trainer
    needs_step_logprobs: bool = False  # the surrogate's statistics are of the whole batch of an optimizer step
    needs_entropies: bool = False  # the sampler must give the entropy of each distribution it drew from
    explorer: Part = Part("independent")  # which trajectories of a group are started
    curriculum: Part = Part("uniform")  # which tasks come next, and how often
    annotators: tuple[Part, ...] = ()  # which columns are filled by a model before credit is assigned

    @property
    def needs_idle(self) -> bool:
        """Whether sequences without any advantage add to the loss all the same, so that `drop_idle` may not be used."""
        return bool(self.kl_coefficient or self.entropy_coefficient)

    def loss(self, logprob_T: Tensor, batch: Batch, entropy_T: Tensor | None = None) -> tuple[Tensor, LossSums]:
        """`losses.total_loss` with this algorithm's terms."""
        return total_loss(
            logprob_T,
            batch,
            surrogate=self.surrogate,
            kl=self.kl,
            kl_coefficient=self.kl_coefficient,
            entropy_T=entropy_T,
            entropy_coefficient=self.entropy_coefficient,
        )


ALGORITHMS: MappingProxyType[str, Algorithm] = MappingProxyType(
    {
        # Williams 1992. Return-to-go of each turn, no baseline; on-policy.
        "reinforce": Algorithm(credit=reinforce, surrogate=surrogates.reinforce, aggregation=trajectory_mean_token_sum),
        # arXiv 2402.14740. On-policy. The paper's KL is part of the reward; here it is off.
        "rloo": Algorithm(credit=rloo, surrogate=surrogates.reinforce, aggregation=trajectory_mean_token_sum),
        # arXiv 2402.03300. The paper has kl_coefficient=0.04; here it is off.
        "grpo": Algorithm(credit=grpo, surrogate=ppo_clip, aggregation=trajectory_mean),
        # arXiv 2503.20783.
        "dr_grpo": Algorithm(credit=partial(grpo, std=False), surrogate=ppo_clip, aggregation=constant),
        # arXiv 2503.14476. Dual clip as in the authors' recipe; overlong shaping once max_tokens is given. Its dynamic
        # sampling is a curriculum: groups without spread have no advantage here, and are not replaced.
        "dapo": Algorithm(
            credit=dapo,
            surrogate=partial(ppo_clip, clip_low=0.2, clip_high=0.28, clip_dual=10.0),
            aggregation=token_mean,
        ),
        # arXiv 2505.10978, with the settings of the authors' ALFWorld script, save that its KL term
        # (kl_coefficient=0.01) is off, and that group statistics are over trajectories.
        "gigpo": Algorithm(credit=partial(gigpo, discount=0.95, std=True), surrogate=ppo_clip, aggregation=token_mean),
        # Our own: returns-to-go against the siblings' same turn; unbiased where the policy chooses when to stop.
        "turn_return": Algorithm(credit=turn_return, surrogate=ppo_clip, aggregation=constant),
    }
)

_TABLES: Mapping[str, Mapping[str, Any]] = {
    "credit": CREDIT,
    "surrogate": SURROGATE,
    "aggregation": AGGREGATION,
    "correction": CORRECTION,
    "kl": KL,
}
_FUNCTIONS = ("credit", "surrogate", "aggregation", "correction")  # those that take arguments
_SETTINGS = {"kl_coefficient": float, "kl_in_reward": bool, "entropy_coefficient": float}
_PARTS = ("explorer", "curriculum")


def algorithm(name: str, **arguments: Any) -> Algorithm:
    """The row called `name`, with other functions, parts or numbers where arguments say so.

    Args:
        name: A key of ALGORITHMS.
        arguments: `credit`, `surrogate`, `aggregation`, `correction`, `kl`: a name in their table, "module:function",
            or a function; whatever the first four take by keyword; `kl_coefficient`, `kl_in_reward`,
            `entropy_coefficient`; `explorer`, `curriculum`: a name, or a mapping with the part's arguments and, if it
            is to be another part than the row's, its `name`; `annotators`: a list of such.

    Raises:
        ConfigError: There is no such row, function or argument, or a value is of the wrong type.

    Example:
        algorithm("gigpo", discount=0.9, step_weight=0.5, clip_high=0.28, explorer={"name": "branch", "initial": 4})
    """
    row = _look_up(ALGORITHMS, name, "algorithm")
    functions = {key: _function(key, arguments[key]) for key in _TABLES if key in arguments}
    row = replace(row, **functions)
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
    entries = cast(Sequence[Any], value)
    names = [entry.get("name") if isinstance(entry, Mapping) else entry for entry in entries]
    return tuple(_part("annotators", entry, present.get(name)) for entry, name in zip(entries, names, strict=True))


def _function(part: str, value: Any) -> Any:
    if callable(value):
        return value
    if not isinstance(value, str):
        raise ConfigError(f"{part} must be a name, 'module:function' or a function; got {value!r}.")
    if ":" not in value:
        return _look_up(_TABLES[part], value, part)
    module_name, _, attribute = value.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ConfigError(f"{part} = {value!r} names nothing that can be imported: {error}.") from error


def _with_argument(row: Algorithm, name: str, key: str, value: Any) -> Algorithm:
    if key in _SETTINGS:
        return replace(row, **{key: _checked(key, value, _SETTINGS[key])})
    functions = {part: getattr(row, part) for part in _FUNCTIONS if getattr(row, part) is not None}
    keywords = {part: _keywords(function) for part, function in functions.items()}
    takers = [part for part in functions if key in keywords[part]]
    if not takers:
        own = (word for words in keywords.values() for word in words)
        accepted = sorted({*_TABLES, *_SETTINGS, *_PARTS, "annotators", *own})
        raise ConfigError(f"The algorithm {name!r} takes no argument {key!r}. {_hint(key, accepted)}")
    bound = {part: partial(functions[part], **{key: _checked(key, value, keywords[part][key])}) for part in takers}
    return replace(row, **bound)


def _keywords(function: Any) -> dict[str, Any]:
    """The keyword-only arguments of a function and the types they are declared with."""
    parameters = inspect.signature(function).parameters.values()
    return {word.name: word.annotation for word in parameters if word.kind is inspect.Parameter.KEYWORD_ONLY}


def _checked(key: str, value: Any, kind: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        raise ConfigError(f"{key} = {value!r}: {error.errors()[0]['msg']}.") from error


def _look_up(table: Mapping[str, Any], name: str, kind: str) -> Any:
    if name not in table:
        raise ConfigError(f"There is no {kind} {name!r}. {_hint(name, list(table))}")
    return table[name]


def _hint(word: str, known: list[str]) -> str:
    near = get_close_matches(word, known)
    return f"Did you mean {' or '.join(map(repr, near))}?" if near else f"Known: {', '.join(known)}."
