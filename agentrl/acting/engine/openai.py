"""Engine over HTTP: any OpenAI-compatible server in messages, and in token ids where the server offers them.

In messages it serves evaluation: `ChatAgent(OpenAIEngine(...))`. In token ids, with the log-probability of each, it
serves training; vLLM does that. Text is never tokenised again: a server without ids or log-probs is refused.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, Field, ValidationError

from agentrl.acting.engine import Completion, Sampling
from agentrl.acting.engine.client import JsonClient, Reply
from agentrl.acting.engine.token_routes import TOKEN_ROUTES, TokenRoute, read_completion
from agentrl.errors import ConfigError, EngineError
from agentrl.messages import Message, ToolCall, ToolSchema, parse_arguments

LogprobsMode: TypeAlias = Literal["raw", "processed"]

_NO_SUCH_ROUTE = frozenset({403, 404, 405, 501})  # vLLM answers 403 on routes that were not enabled
_OVERFLOW = re.compile(r"context_length_exceeded|maximum context length|context (length|window|size)", re.IGNORECASE)
_FORBIDDEN_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


class _Function(BaseModel):
    name: str
    arguments: str | dict[str, Any] | None = None


class _Call(BaseModel):
    id: str | None = None
    function: _Function


class _Part(BaseModel):
    type: str
    text: str = ""


class _Answer(BaseModel):
    content: str | list[_Part] | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Answer


class _ChatCompletion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class OpenAIEngine:
    """A model behind a server; both a `ChatModel` and an `Engine`.

    Token ids go through vLLM's `/inference/v1/generate` (`vllm serve MODEL --enable-scale-out`) or through
    `/completions` with `return_token_ids`; which one there is, is found out once. Every setting that would change the
    distribution (top-p, penalties, the model's own generation defaults) is switched off.

    vLLM reports log-probs of the unscaled logits unless it was started with `--logprobs-mode processed_logprobs`. At
    temperature 1, and at 0, these are what an engine must return; at other temperatures they are not, and `generate`
    refuses unless `logprobs_mode="processed"` says that the server was started so.

    Args:
        base_url: The server's OpenAI root; mostly ends in /v1.
        model: The model's name there.
        api_key: None takes the environment variable OPENAI_API_KEY, if there is one; it goes to this server only.
        extra: Put into the body of every chat request, such as `{"temperature": 0.7, "max_tokens": 512}` or options
            of the provider's own; None as a value removes a field, such as `{"seed": None}`.
        logprobs_mode: How the server was started.
        timeout_seconds: For a call as a whole, all attempts.
        num_attempts: How often a call is tried when the server is busy, failing or not reachable.

    Raises:
        ConfigError: A value cannot be used.
    """

    version: int = 0  # of the weights, for servers that do not say it themselves; set by whoever publishes new ones

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        logprobs_mode: LogprobsMode = "raw",
        timeout_seconds: float = 120.0,
        num_attempts: int = 6,
    ) -> None:
        if logprobs_mode not in ("raw", "processed"):
            raise ConfigError(f"logprobs_mode must be 'raw' or 'processed'; got {logprobs_mode!r}.")
        self._client = JsonClient(base_url, api_key=api_key, timeout_seconds=timeout_seconds, num_attempts=num_attempts)
        self._model = model
        self._extra = dict(extra or {})
        self._logprobs_mode = logprobs_mode
        self._has_answered = False
        self._route: TokenRoute | None = None
        self._probing = asyncio.Lock()  # routes are tried once, however many trajectories start together

    def __repr__(self) -> str:
        return f"OpenAIEngine({self._client.base_url!r}, {self._model!r})"

    async def chat(self, messages: Sequence[Message], tools: Sequence[ToolSchema], *, seed: int) -> Message | None:
        """The assistant's next message; None where the conversation no longer fits into the model's context.

        Raises:
            EngineError: The server failed, or its answer cannot be read.
            ConfigError: The server refuses the key, the model or the very first request.
        """
        fields: dict[str, Any] = {
            "model": self._model,
            "messages": [_to_server(message) for message in messages],
            "tools": [tool.to_openai() for tool in tools] or None,
            "seed": seed,
        }
        body = {key: value for key, value in (fields | self._extra).items() if value is not None}
        reply = await self._client.post(f"{self._client.base_url}/chat/completions", body)
        if self._has_answered and _is_overflow(reply):
            return None
        self._check_accepted(reply)
        try:
            answer = _ChatCompletion.model_validate_json(reply.text).choices[0].message
        except ValidationError as error:
            raise EngineError(f"{reply}: not a chat completion: {error.errors()[0]['msg']}.") from error
        self._has_answered = True
        return _from_server(answer)

    async def generate(self, prompt_ids: Sequence[int], sampling: Sampling, *, session: str = "") -> Completion:
        """One completion of `prompt_ids`; the session is of no use to the server, which finds common prefixes itself.

        Raises:
            EngineError: The server failed, or its answer cannot be trusted.
            ConfigError: The server does not offer what training needs, or refuses the key or the model.
        """
        self._check_sampling(sampling)
        route = self._route or await self._find_route(prompt_ids)
        version = self.version
        reply = await self._ask(route, prompt_ids, sampling)
        return self._completion(reply, prompt_ids, version)

    def release(self, session: str) -> None:
        """Nothing is kept per session."""

    async def close(self) -> None:
        """Close the connections; idempotent."""
        await self._client.close()

    def _check_sampling(self, sampling: Sampling) -> None:
        if sampling.entropies:
            raise ConfigError("An OpenAI-compatible server returns no entropies; the local engine does.")
        if self._logprobs_mode == "raw" and sampling.temperature not in (0.0, 1.0):
            raise ConfigError(
                f"At temperature {sampling.temperature:g} the server's raw log-probs are not those of the distribution "
                f"that was sampled. Sample at temperature 1, or start vLLM with --logprobs-mode processed_logprobs and "
                f'give the engine logprobs_mode = "processed".'
            )

    async def _find_route(self, prompt_ids: Sequence[int]) -> TokenRoute:
        """The first route on which a token can be sampled, tried on the prompt's first one."""
        async with self._probing:
            if self._route:
                return self._route
            refusals: list[str] = []
            for route in TOKEN_ROUTES:
                reply = await self._ask(route, prompt_ids[:1], Sampling(max_tokens=1))
                if reply.status in _NO_SUCH_ROUTE:
                    refusals.append(f"  {reply}")
                    continue
                self._completion(reply, prompt_ids[:1], 0)
                self._route = route
                return route
        raise ConfigError(
            f"The server at {self._client.base_url} samples no token ids for the model {self._model!r}, so that it can "
            f"serve evaluation at most. For training start `vllm serve MODEL --enable-scale-out`. What was tried:\n"
            + "\n".join(refusals)
        )

    async def _ask(self, route: TokenRoute, prompt_ids: Sequence[int], sampling: Sampling) -> Reply:
        root = self._client.base_url if route.below_base_url else self._client.base_url.removesuffix("/v1")
        return await self._client.post(root + route.path, {"model": self._model} | route.body(prompt_ids, sampling))

    def _completion(self, reply: Reply, prompt_ids: Sequence[int], version: int) -> Completion:
        if _is_overflow(reply):
            raise ConfigError(
                f"{reply}\nThe server's context is shorter than the run's max_sequence_tokens: lower that, or start "
                f"the server with a greater --max-model-len."
            )
        self._check_accepted(reply)
        completion = read_completion(reply, prompt_ids, version=version)
        self._has_answered = True
        return completion

    def _check_accepted(self, reply: Reply) -> None:
        """A refusal is the fault of the server's description before anything has worked, later of this one request."""
        if 200 <= reply.status < 300:
            return
        if reply.status == 401 or (reply.status == 403 and not self._has_answered):
            raise ConfigError(f"{reply}\nThe server refuses the API key: set OPENAI_API_KEY, or give api_key.")
        if self._has_answered:
            raise EngineError(str(reply))
        raise ConfigError(
            f"{reply}\nThe server refuses the first request. Does it offer the model {self._model!r}? "
            f"{self._client.base_url}/models lists what it has; base_url mostly ends in /v1."
        )


def _is_overflow(reply: Reply) -> bool:
    return reply.status in (400, 413, 422) and bool(_OVERFLOW.search(reply.text))


def _to_server(message: Message) -> dict[str, Any]:
    """The message in a form that every server takes back, also where the model's calls in it were malformed.

    Servers check the history: names have an alphabet, and arguments must be a JSON object for the chat template.
    """
    calls = tuple(
        ToolCall(
            _FORBIDDEN_IN_NAMES.sub("_", call.name)[:64] or "unnamed",
            {"unreadable_arguments": call.arguments} if isinstance(call.arguments, str) else call.arguments,
            call.id,
        )
        for call in message.tool_calls
    )
    return Message(message.role, message.content, calls, message.tool_call_id, message.name).to_openai()


def _from_server(answer: _Answer) -> Message:
    """The assistant message of a chat completion; every call gets an id, for its answer to name."""
    content = answer.content or ""
    if isinstance(content, list):
        content = "".join(part.text for part in content if part.type == "text")
    calls = tuple(
        ToolCall(call.function.name, _arguments(call.function.arguments), call.id or f"call_{index}")
        for index, call in enumerate(answer.tool_calls or ())
    )
    return Message("assistant", content, calls)


def _arguments(written: str | dict[str, Any] | None) -> dict[str, Any] | str:
    return written if isinstance(written, dict) else parse_arguments(written or "{}")
