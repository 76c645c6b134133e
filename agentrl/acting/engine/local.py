"""The engine in this process: continuous batching on torch, with the keys and values of a trajectory kept across turns.

Requests are served tick by tick. A tick is one forward pass over one flat row of tokens: the next piece of the prompt
of every request that is not through with it, and the last token of every request that is sampling. To the engine both
are the same, tokens that the request's slot does not hold yet; so a prompt that extends the last one, a request that
lost its slot, and slots that became stale because the weights changed, all need nothing special.

Everything but the inbox belongs to the one worker thread, so that there are no locks.
"""

import asyncio
import copy
import math
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from agentrl.acting.engine import Completion, Sampling
from agentrl.errors import AgentRLError, ConfigError, EngineError, boundary

try:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel
except ModuleNotFoundError as error:
    raise ConfigError(f"The local engine needs {error.name}: pip install 'agentrl[train]'") from error

from agentrl.acting.engine.slot_table import Slot, SlotTable
from agentrl.acting.engine.slots import ATTENTION, Added, SlotCache, Step

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

# Rounds of the event loop, of about 10 microseconds each. An answer that calls no tool takes some ten of them.
_QUIET_ROUNDS = 24
_MAX_SETTLE_ROUNDS = 400


@dataclass(slots=True, eq=False)
class _Request:
    """A completion in the making."""

    ids: list[int]  # the prompt, and what was sampled
    num_prompt: int
    limit: int  # most tokens to sample
    sampling: Sampling
    session: str
    uniforms: list[float]  # one draw per token, so that it does not matter who else is being served
    future: asyncio.Future[Completion]
    slot: Slot | None = None
    version: int = 0
    logprobs: list[float] = field(default_factory=list[float])
    entropies: list[float] = field(default_factory=list[float])

    @property
    def stopped(self) -> bool:
        """Whether the last token sampled is one to stop at."""
        return bool(self.logprobs) and self.ids[-1] in self.sampling.stop_ids

    @property
    def finished(self) -> bool:
        """Whether nothing more is to be sampled."""
        return self.stopped or len(self.logprobs) == self.limit

    def completion(self) -> Completion:
        """What was sampled."""
        return Completion(
            ids=tuple(self.ids[self.num_prompt :]),
            logprobs=tuple(self.logprobs),
            entropies=tuple(self.entropies),
            version=self.version,
            truncated=not self.stopped,
        )


class LocalEngine:
    """Samples from a transformers model in this process, with weights of its own.

    Args:
        model: Copied; later changes reach the engine through `update` alone.
        max_length: Longest sequence, prompt and completion together.
        max_slots: Most sequences in the cache, and so most that are served at a time.
        memory_bytes: Bound of the cache.
        max_prompt_tokens: Most prompt tokens in one forward pass.
        seed: Of the requests that bring none.

    Raises:
        ConfigError: A single sequence of `max_length` tokens does not fit into `memory_bytes`.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        max_length: int,
        max_slots: int = 128,
        memory_bytes: int = 2**30,
        max_prompt_tokens: int = 2048,
        seed: int = 0,
    ) -> None:
        self._model = copy.deepcopy(model).requires_grad_(False).eval()
        self._model.set_attn_implementation(ATTENTION)
        self._head: Any = self._model.get_output_embeddings()
        self._device: torch.device = self._model.device
        self._max_length = max_length
        self._max_prompt_tokens = max_prompt_tokens
        self._seeds = torch.Generator().manual_seed(seed)
        cache = _empty_cache(self._model)
        if cache.bytes_per_place * max_length > memory_bytes:
            raise ConfigError(
                f"One sequence of max_length = {max_length} tokens needs {cache.bytes_per_place * max_length} bytes of "
                f"keys and values, but memory_bytes = {memory_bytes}. Raise memory_bytes, or lower max_length."
            )
        self._table = SlotTable(cache, max_slots=max_slots, max_places=max_length, memory_bytes=memory_bytes)
        self._version = 0
        self.num_computed_tokens = 0  # since the start; what a slot already held is not among them
        self._inbox: deque[_Request | str] = deque()  # requests, and sessions to forget
        self._waiting: deque[_Request] = deque()
        self._running: list[_Request] = []
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="agentrl-engine")
        self._serving: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def version(self) -> int:
        """Of the weights in use."""
        return self._version

    @property
    def num_busy_slots(self) -> int:
        """How many slots are in use."""
        return self._table.num_busy

    @property
    def num_kept_slots(self) -> int:
        """How many idle slots are kept for a session."""
        return self._table.num_kept

    async def generate(self, prompt_ids: Sequence[int], sampling: Sampling, *, session: str = "") -> Completion:
        """One completion of `prompt_ids`; it is cut where the sequence reaches `max_length`."""
        self._check(prompt_ids, sampling)
        limit = min(sampling.max_tokens, self._max_length - len(prompt_ids))
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        uniforms = self._draw(sampling, limit)
        self._inbox.append(_Request(list(prompt_ids), len(prompt_ids), limit, sampling, session, uniforms, future))
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        return await future

    def release(self, session: str) -> None:
        """Forget what was kept for the session."""
        self._inbox.append(session)

    async def update(self, weights: Mapping[str, Tensor], version: int) -> None:
        """Load weights between two ticks; what is being sampled goes on under them, its cache recomputed."""
        await asyncio.get_running_loop().run_in_executor(self._worker, self._load, weights, version)

    async def close(self) -> None:
        """Stop the worker; requests still being served fail."""
        if self._closed:
            return
        self._closed = True
        if self._serving is not None and not self._serving.done():
            self._serving.cancel()
            await asyncio.wait([self._serving])
        await asyncio.to_thread(self._worker.shutdown)
        self._fail(EngineError("The engine was closed."))

    def _check(self, prompt_ids: Sequence[int], sampling: Sampling) -> None:
        if self._closed:
            raise EngineError("The engine was closed.")
        if sampling.max_tokens < 1:
            raise EngineError(f"max_tokens must be at least 1; got {sampling.max_tokens}.")
        if sampling.temperature < 0:
            raise EngineError(f"The temperature must be at least 0; got {sampling.temperature}.")
        if not 0 < len(prompt_ids) < self._max_length:
            raise EngineError(
                f"A prompt must have 1 to {self._max_length - 1} tokens, to leave room for one more under max_length = "
                f"{self._max_length}; got {len(prompt_ids)}. Shorten the context, or raise max_length."
            )

    def _draw(self, sampling: Sampling, count: int) -> list[float]:
        seed = sampling.seed
        if seed is None:
            seed = int(torch.randint(2**62, (), generator=self._seeds))
        return torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).tolist()

    async def _serve(self) -> None:
        """Tick until no request is left."""
        loop = asyncio.get_running_loop()
        await self._settle([])
        while self._inbox or self._waiting or self._running:
            try:
                with boundary(EngineError, "local engine"):
                    finished = await loop.run_in_executor(self._worker, self._tick)
            except AgentRLError as error:
                self._fail(error)
                return
            for request in finished:
                if not request.future.done():
                    request.future.set_result(request.completion())
            if finished:
                await self._settle([request.session for request in finished])

    async def _settle(self, sessions: Sequence[str]) -> None:
        """Let all who can bring their next prompt at once do so before the next tick.

        Where environments answer without waiting for anything outside, what is computed together, and so every
        rounding, then depends on nothing but the seeds: runs repeat bit for bit.

        Args:
            sessions: Who just got a completion: they are waited for a little longer, as they may call many tools.
        """
        expected, seen, num_quiet = set(sessions) - {""}, 0, 0
        for _ in range(_MAX_SETTLE_ROUNDS):
            await asyncio.sleep(0)
            num_quiet = num_quiet + 1 if len(self._inbox) == seen else 0
            for entry in islice(self._inbox, seen, None):
                expected.discard(entry.session if isinstance(entry, _Request) else entry)
            seen = len(self._inbox)
            if num_quiet >= _QUIET_ROUNDS and not expected:
                return

    def _fail(self, error: AgentRLError) -> None:
        """Fail all that is being served; nothing in the cache is trusted any more."""
        arrived = [entry for entry in self._inbox if isinstance(entry, _Request)]
        for request in (*arrived, *self._waiting, *self._running):
            if not request.future.done():
                request.future.set_exception(error)
            if request.slot is not None:
                self._table.give_back(request.slot)
        self._inbox.clear()
        self._waiting.clear()
        self._running.clear()
        self._table.clear()

    # From here on, everything runs in the worker.

    def _load(self, weights: Mapping[str, Tensor], version: int) -> None:
        self._model.load_state_dict(weights)
        self._version = version
        self._table.forget_contents()

    @torch.inference_mode()
    def _tick(self) -> list[_Request]:
        """Run one forward pass; the requests that it finished."""
        self._receive()
        self._admit()
        plan = self._plan()
        while preempted := self._table.reserve(max((added.start + added.length for _, added in plan), default=0)):
            self._preempt(preempted)
            plan = self._plan()
        if not plan:
            assert not self._running, "whoever runs has a token to compute"
            return []
        plan = [(request, added._replace(slot=_slot(request).index)) for request, added in plan]
        sampled = self._forward(plan)
        finished = [request for request in sampled if request.finished]
        for request in finished:
            self._retire(request)
        return finished

    def _receive(self) -> None:
        """Empty the inbox, and let go of the requests that nobody waits for any more."""
        while self._inbox:
            entry = self._inbox.popleft()
            if isinstance(entry, _Request):
                self._waiting.append(entry)
                continue
            self._table.forget(entry)
            for request in self._waiting:
                request.session = "" if request.session == entry else request.session
        for request in [request for request in self._running if request.future.done()]:
            self._retire(request)

    def _admit(self) -> None:
        """Give slots to those who wait, in the order they came."""
        while self._waiting:
            request = self._waiting[0]
            if not request.future.done():
                request.slot = self._table.acquire(request.session, request.ids)
                if request.slot is None:
                    return
                self._running.append(request)
            self._waiting.popleft()

    def _plan(self) -> list[tuple[_Request, Added]]:
        """What each running request adds in this tick: its last token, or as much of its prompt as the bound allows."""
        plan: list[tuple[_Request, Added]] = []
        room = self._max_prompt_tokens
        for request in self._running:
            slot = _slot(request)
            count = len(request.ids) - len(slot.ids)
            if count > 1:
                count = min(count, room)
                room -= count
            if count:
                plan.append((request, Added(slot.index, len(slot.ids), count)))
        return plan

    def _preempt(self, slots: Sequence[Slot]) -> None:
        """Put the requests that lost their slots back in front of those who wait."""
        lost = [request for request in self._running if request.slot in slots]
        self._running = [request for request in self._running if request.slot not in slots]
        for request in reversed(lost):
            request.slot = None
            self._waiting.appendleft(request)

    def _retire(self, request: _Request) -> None:
        self._running.remove(request)
        self._table.give_back(_slot(request))
        request.slot = None

    def _forward(self, plan: Sequence[tuple[_Request, Added]]) -> list[_Request]:
        """Run the model over what is added; the requests that got a token by it."""
        step = Step(self._table.cache, [added for _, added in plan], self._device)
        ids: list[int] = []
        last: list[int] = []
        sampled: list[_Request] = []
        for request, added in plan:
            piece = request.ids[added.start : added.start + added.length]
            ids += piece
            _slot(request).ids += piece
            if added.start + added.length == len(request.ids):
                last.append(len(ids) - 1)
                sampled.append(request)
        self.num_computed_tokens += len(ids)
        hidden_TD = self._hidden(torch.tensor(ids, device=self._device), step)
        if sampled:
            self._sample(sampled, self._head(hidden_TD[torch.tensor(last, device=self._device)]))
        return sampled

    def _hidden(self, token_T: Tensor, step: Step) -> Tensor:
        output = self._model.base_model(
            input_ids=token_T.unsqueeze(0),
            position_ids=step.position_T.unsqueeze(0),
            use_cache=False,
            slot_step=step,
        )
        return output.last_hidden_state[0]

    def _sample(self, requests: Sequence[_Request], logits_RV: Tensor) -> None:
        """Append to each request the token at which its distribution function passes its next draw."""
        temperature_R = torch.tensor([request.sampling.temperature for request in requests], device=self._device)
        greedy_R = temperature_R == 0
        log_RV = (logits_RV.float() / temperature_R.masked_fill(greedy_R, 1.0)[:, None]).log_softmax(-1)
        draws = [request.uniforms[len(request.logprobs)] for request in requests]
        token_R = _invert(log_RV, torch.tensor(draws, dtype=torch.float64, device=self._device))
        token_R = torch.where(greedy_R, log_RV.argmax(-1), token_R)
        logprobs: list[float] = log_RV.gather(1, token_R[:, None]).squeeze(1).tolist()
        if not all(map(math.isfinite, logprobs)):
            raise EngineError(f"The model of version {self._version} gives log-probabilities that are not finite.")
        entropies: list[float] = []
        if any(request.sampling.entropies for request in requests):
            entropies = torch.special.entr(log_RV.exp()).sum(-1).tolist()
        tokens: list[int] = token_R.tolist()
        for row, (request, token) in enumerate(zip(requests, tokens, strict=True)):
            if not request.logprobs:
                request.version = self._version
            request.ids.append(token)
            request.logprobs.append(logprobs[row])
            if request.sampling.entropies:
                request.entropies.append(entropies[row])


def _slot(request: _Request) -> Slot:
    assert request.slot is not None, "only requests with a slot are running"
    return request.slot


def _invert(log_RV: Tensor, draw_R: Tensor) -> Tensor:
    """The token of each row at which the cumulative probability passes the draw."""
    cumulative_RV = log_RV.double().exp().cumsum(-1)
    total_R1 = cumulative_RV[:, -1:]
    # Below the total whatever the rounding, or the token found would be one past the last that is possible.
    threshold_R1 = torch.minimum(draw_R[:, None] * total_R1, total_R1.nextafter(torch.zeros_like(total_R1)))
    token_R = torch.searchsorted(cumulative_RV, threshold_R1, right=True).squeeze(1)
    return token_R.clamp_max(
        log_RV.shape[1] - 1
    )  # past the end where nothing is a number, which the log-prob will show


def _empty_cache(model: PreTrainedModel) -> SlotCache:
    config: Any = model.config.get_text_config()
    num_heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return SlotCache(config.num_hidden_layers, num_heads, head_size, model.dtype, model.device)
