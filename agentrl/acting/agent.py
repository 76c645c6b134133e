"""Agent: who makes the next message of a trajectory. An engine with a renderer, a chat server, or a script."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from agentrl.acting.engine import Completion, Engine, Sampling
from agentrl.acting.environment import Environment
from agentrl.acting.renderer import Renderer
from agentrl.acting.suite import Script
from agentrl.errors import EnvironmentFault, boundary
from agentrl.messages import Message, ToolSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One assistant message, and the ledger's part of it where the agent works on tokens."""

    message: Message
    context_ids: tuple[int, ...] = ()
    completion: Completion | None = None  # None: nothing was sampled, so nothing can be trained
    opens_sequence: bool = False


class Conversation(Protocol):
    """One trajectory's dialogue with the environment, from the agent's side."""

    async def act(self, messages: Sequence[Message], *, rewrite: bool = False) -> Action | None:
        """The agent's next message.

        Args:
            messages: What the environment said since the last action; the whole conversation on the first call.
            rewrite: `messages` replace everything that came before.

        Returns:
            The action, or None where the context has no room for another token.
        """
        ...

    def close(self) -> None:
        """Free what was kept for this trajectory; idempotent."""
        ...


class Agent(Protocol):
    """Starts one conversation a trajectory."""

    def start(self, environment: Environment, trajectory_id: str, seed: int) -> Conversation:
        """The conversation for a trajectory; called after the environment's reset."""
        ...


@dataclass(frozen=True, slots=True)
class TokenAgent:
    """Samples token ids from an engine: the agent that is trained, and evaluated as it was trained."""

    engine: Engine
    renderer: Renderer
    sampling: Sampling  # max_tokens is the limit of one turn
    max_sequence_tokens: int

    def start(self, environment: Environment, trajectory_id: str, seed: int) -> "TokenConversation":
        """A conversation that keeps its own ledger of ids."""
        return TokenConversation(self, environment.tool_schemas(), trajectory_id, seed)


class TokenConversation:
    """The ledger of one trajectory: what the engine returned is appended as it is, observations after it."""

    def __init__(self, agent: TokenAgent, tools: Sequence[ToolSchema], trajectory_id: str, seed: int) -> None:
        self._agent = agent
        self._tools = tuple(tools)
        self._session = trajectory_id
        self._seeds = random.Random(seed)
        self._ids: list[int] = []
        self._turn_is_open = False  # the last action was cut off before its end-of-turn token

    async def act(self, messages: Sequence[Message], *, rewrite: bool = False) -> Action | None:
        """The next message, sampled from the engine; None where the sequence is full."""
        agent, opens_sequence = self._agent, rewrite or not self._ids
        if opens_sequence:
            context_ids = agent.renderer.prompt(messages, self._tools)
            self._ids = []
        else:
            context_ids = agent.renderer.extension(messages, close_turn=self._turn_is_open)
        self._ids += context_ids
        room = agent.max_sequence_tokens - len(self._ids)
        if room < 1:
            return None
        sampling = replace(
            agent.sampling, max_tokens=min(agent.sampling.max_tokens, room), seed=self._seeds.getrandbits(62)
        )
        completion = await agent.engine.generate(self._ids, sampling, session=self._session)
        self._ids += completion.ids
        self._turn_is_open = completion.truncated
        return Action(
            message=agent.renderer.parse(completion.ids),
            context_ids=context_ids,
            completion=completion,
            opens_sequence=opens_sequence,
        )

    def close(self) -> None:
        """Let the engine forget the trajectory."""
        self._agent.engine.release(self._session)


class ChatModel(Protocol):
    """Answers a conversation of messages, as any OpenAI-compatible server does."""

    async def chat(self, messages: Sequence[Message], tools: Sequence[ToolSchema], *, seed: int) -> Message | None:
        """The assistant's next message; None where the conversation no longer fits into the model's context.

        Raises:
            EngineError: The server failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class ChatAgent:
    """Talks in messages: for evaluation of models behind an API. Leaves no token ledger, so it cannot be trained."""

    model: ChatModel

    def start(self, environment: Environment, trajectory_id: str, seed: int) -> "ChatConversation":
        """A conversation that keeps the messages."""
        return ChatConversation(self.model, environment.tool_schemas(), seed)


class ChatConversation:
    """The growing list of messages of one trajectory."""

    def __init__(self, model: ChatModel, tools: Sequence[ToolSchema], seed: int) -> None:
        self._model = model
        self._tools = tuple(tools)
        self._seeds = random.Random(seed)
        self._messages: list[Message] = []

    async def act(self, messages: Sequence[Message], *, rewrite: bool = False) -> Action | None:
        """The server's next message."""
        self._messages = list(messages) if rewrite else [*self._messages, *messages]
        answer = await self._model.chat(self._messages, self._tools, seed=self._seeds.getrandbits(31))
        if answer is None:
            return None
        self._messages.append(answer)
        return Action(message=answer)

    def close(self) -> None:
        """Nothing is kept outside."""


@dataclass(frozen=True, slots=True)
class ScriptedAgent:
    """Plays a script. With a renderer it also writes the ledger, as warm-start data: log-probs are then 0."""

    script: Script
    renderer: Renderer | None = None

    def start(self, environment: Environment, trajectory_id: str, seed: int) -> "ScriptedConversation":
        """A conversation in which the script has the environment before it."""
        return ScriptedConversation(self, environment, seed)


class ScriptedConversation:
    """One run of a script."""

    def __init__(self, agent: ScriptedAgent, environment: Environment, seed: int) -> None:
        with boundary(EnvironmentFault, "script"):
            self._player = agent.script(environment, random.Random(seed))
        self._renderer = agent.renderer
        self._tools = environment.tool_schemas() if agent.renderer else ()
        self._is_new = True

    async def act(self, messages: Sequence[Message], *, rewrite: bool = False) -> Action | None:
        """The script's next message."""
        with boundary(EnvironmentFault, "script"):
            message = self._player(messages)
        if self._renderer is None:
            return Action(message=message)
        opens_sequence, self._is_new = rewrite or self._is_new, False
        context_ids = (
            self._renderer.prompt(messages, self._tools) if opens_sequence else self._renderer.extension(messages)
        )
        ids = self._renderer.encode(message)
        return Action(
            message=message,
            context_ids=context_ids,
            completion=Completion(ids=ids, logprobs=(0.0,) * len(ids)),
            opens_sequence=opens_sequence,
        )

    def close(self) -> None:
        """Nothing is kept outside."""
