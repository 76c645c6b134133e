"""The routes on which servers take and give token ids: what each is asked, and how its answer is read."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from agentrl.acting.engine import Completion, Sampling
from agentrl.acting.engine.client import Reply
from agentrl.errors import ConfigError, EngineError

_LEAST_LOGPROB = -9000.0  # nats; vLLM writes -9999 where there is no number
_ROUNDING = 1e-3  # nats by which half precision lets a log-prob pass 0


class _TokenLogprob(BaseModel):
    token_id: int | None = None
    logprob: float


class _Logprobs(BaseModel):
    content: list[_TokenLogprob] | None = None
    token_logprobs: list[float | None] | None = None


class _Span(BaseModel):
    version: str


class _Choice(BaseModel):
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None
    weight_versions: list[_Span] | None = None


class _Answer(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class TokenRoute(NamedTuple):
    """One way of asking a server for token ids."""

    path: str
    below_base_url: bool  # else below the server's root
    body: Callable[[Sequence[int], Sampling], dict[str, Any]]


def read_completion(reply: Reply, prompt_ids: Sequence[int], *, version: int) -> Completion:
    """The completion in the answer of a token route.

    Args:
        reply: The answer; its status says that it is one.
        prompt_ids: What was asked.
        version: The policy version where the server names none.

    Raises:
        ConfigError: The server returns no ids or no log-probs, or it changed the prompt.
        EngineError: What it returns cannot be trusted.
    """
    try:
        choice = _Answer.model_validate_json(reply.text).choices[0]
    except ValidationError as error:
        raise EngineError(f"{reply}: not a completion: {error.errors()[0]['msg']}.") from error
    if choice.prompt_token_ids is not None and choice.prompt_token_ids != list(prompt_ids):
        raise ConfigError(f"POST {reply.url}: the server changed the prompt's ids before it sampled.")
    if choice.finish_reason not in ("stop", "length"):
        raise EngineError(f"POST {reply.url}: ended with {choice.finish_reason!r}; expected 'stop' or 'length'.")
    ids, logprobs = choice.token_ids, _logprobs(choice)
    if ids is None or logprobs is None:
        missing = "token ids" if ids is None else "log-probs"
        raise ConfigError(
            f"{reply}\nThe server returns no {missing}, without which nothing can be trained. vLLM does; ids from its "
            f"version 0.10.2 on."
        )
    if not ids or len(ids) != len(logprobs):
        raise EngineError(f"POST {reply.url}: {len(ids)} token ids came with {len(logprobs)} log-probs.")
    return Completion(
        ids=tuple(ids),
        logprobs=tuple(_checked(logprob, reply) for logprob in logprobs),
        version=_version(choice, version),
        truncated=choice.finish_reason == "length",
    )


def _logprobs(choice: _Choice) -> Sequence[float | None] | None:
    """The log-probs in either of the two shapes; None where there are none."""
    if choice.logprobs is None:
        return None
    entries = choice.logprobs.content
    if entries is None:
        return choice.logprobs.token_logprobs
    if [entry.token_id for entry in entries] != choice.token_ids:
        raise EngineError("The server's log-probs are of other ids than those that it says were sampled.")
    return [entry.logprob for entry in entries]


def _checked(logprob: float | None, reply: Reply) -> float:
    if logprob is None or math.isnan(logprob) or not _LEAST_LOGPROB < logprob <= _ROUNDING:
        raise EngineError(f"POST {reply.url}: {logprob!r} cannot be the log-prob of a token that was sampled.")
    return min(logprob, 0.0)


def _version(choice: _Choice, default: int) -> int:
    """The policy version that sampled the first id, where the server names versions by number."""
    label = choice.weight_versions[0].version if choice.weight_versions else ""
    return int(label) if label.isdecimal() else default


def _generate_body(prompt_ids: Sequence[int], sampling: Sampling) -> dict[str, Any]:
    return {"token_ids": list(prompt_ids), "sampling_params": _sampling_fields(sampling) | {"detokenize": False}}


def _completions_body(prompt_ids: Sequence[int], sampling: Sampling) -> dict[str, Any]:
    return {"prompt": list(prompt_ids), "return_token_ids": True} | _sampling_fields(sampling)


def _sampling_fields(sampling: Sampling) -> dict[str, Any]:
    """Sampling in the words of vLLM: all that a server may have defaults for is said, so that none of them holds."""
    fields: dict[str, Any] = {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": 1.0,
        "top_k": -1,
        "min_p": 0.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
        "stop_token_ids": list(sampling.stop_ids),
        "ignore_eos": True,  # the stop ids alone end a completion
        "logprobs": 0,  # of the sampled token, without alternatives
    }
    return fields if sampling.seed is None else fields | {"seed": sampling.seed}


TOKEN_ROUTES = (
    TokenRoute("/inference/v1/generate", False, _generate_body),
    TokenRoute("/completions", True, _completions_body),
)
