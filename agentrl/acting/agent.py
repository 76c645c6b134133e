"""Agent: who makes the next message of a trajectory. An engine with a renderer, a chat server, or a script."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from agentrl.acting.engine import Completion, Engine, Sampling
from agentrl.acting.environment import Environment
from agentrl.acting.renderer import Renderer
from agentrl.acting.suite import Script
from agentrl.errors import ConfigError, EnvironmentFault, boundary
from agentrl.messages import Message, ToolSchema
from agentrl.trajectory import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One assistant message, and the ledger's part of it where the agent works on tokens."""

    message: Message
    context_ids: tuple[int, ...] = ()
    completion: Completion | None = None  # None: nothing was sampled, so nothing can be trained
    opens_sequence: bool = False
    matched: bool | None = None  # whether an expert would have done the same, where one was asked
    patch: Message | None = None  # what is carried out in the message's place: the expert's


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

    def resume(self, turns: Sequence[Turn]) -> None:
        """Take these turns as said, before the first action; what follows the last one comes with the next `act`.

        Raises:
            ConfigError: This agent cannot go on from where another one was.
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
        self._num_before_action = 0  # ids that the last action stands behind
        self._turn_is_open = False  # the last action was cut off before its end-of-turn token
        self._is_corrected = False  # the last action is not what was sampled: what follows it opens a sequence

    async def act(self, messages: Sequence[Message], *, rewrite: bool = False) -> Action | None:
        """The next message, sampled from the engine; None where the sequence is full."""
        agent, is_new = self._agent, rewrite or not self._ids
        if is_new:
            context_ids = agent.renderer.prompt(messages, self._tools)
            self._ids = []
        else:
            context_ids = agent.renderer.extension(messages, close_turn=self._turn_is_open)
        self._ids += context_ids
        opens_sequence = is_new or self._is_corrected
        if opens_sequence:
            context_ids = tuple(self._ids)
        room = agent.max_sequence_tokens - len(self._ids)
        if room < 1:
            return None
        sampling = replace(
            agent.sampling, max_tokens=min(agent.sampling.max_tokens, room), seed=self._seeds.getrandbits(62)
        )
        completion = await agent.engine.generate(self._ids, sampling, session=self._session)
        self._num_before_action = len(self._ids)
        self._ids += completion.ids
        self._turn_is_open = completion.truncated
        self._is_corrected = False
        return Action(
            message=agent.renderer.parse(completion.ids),
            context_ids=context_ids,
            completion=completion,
            opens_sequence=opens_sequence,
        )

    def resume(self, turns: Sequence[Turn]) -> None:
        """Go on from the ids of the turns' last sequence, exactly as they are."""
        for turn in turns:
            if turn.opens_sequence:
                self._ids = []
            self._ids += turn.context_ids
            self._num_before_action = len(self._ids)
            self._ids += turn.action_ids
        last = turns[-1]
        if last.patch is not None:
            self.correct(last.patch)
        else:
            self._turn_is_open = self._ids[-1] not in self._agent.renderer.stop_ids

    def correct(self, message: Message) -> None:
        """Have the conversation go on as if this had been said instead of the last action, whose ids it replaces."""
        self._ids[self._num_before_action :] = self._agent.renderer.encode(message)
        self._turn_is_open = False
        self._is_corrected = True

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

    def resume(self, turns: Sequence[Turn]) -> None:
        """Refused: without a ledger it is not known what the model saw."""
        raise ConfigError("A chat agent keeps no token ids, so no trajectory can be forked: use a TokenAgent.")

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

    def resume(self, turns: Sequence[Turn]) -> None:
        """Refused: a script knows of nothing but what it did itself."""
        raise ConfigError("A script plays from the beginning only; what forks trajectories needs a TokenAgent.")

    def close(self) -> None:
        """Nothing is kept outside."""
