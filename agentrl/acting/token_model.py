"""Models asked in messages, made of agents: for the parts of an environment that a model plays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentrl.acting.agent import Agent, ChatAgent, ChatModel, TokenAgent
from agentrl.messages import Message, ToolSchema

POLICY = "policy"  # among a stage's resources: the model behind its agent, as a ChatModel


@dataclass(frozen=True, slots=True)
class TokenModel:
    """A `ChatModel` that samples token ids from an engine; each conversation is a prompt of its own, without a ledger.

    With the agent that is trained it is always the newest policy; with an agent on an engine of its own, a frozen one.
    """

    agent: TokenAgent

    async def chat(self, messages: Sequence[Message], tools: Sequence[ToolSchema], *, seed: int) -> Message | None:
        """The assistant's next message; None where the conversation no longer fits into the model's context."""
        agent = self.agent
        ids = agent.renderer.prompt(messages, tools)
        room = agent.max_sequence_tokens - len(ids)
        if room < 1:
            return None
        sampling = replace(agent.sampling, max_tokens=min(agent.sampling.max_tokens, room), seed=seed)
        completion = await agent.engine.generate(ids, sampling)
        return agent.renderer.parse(completion.ids)


def with_policy(resources: Mapping[str, Any], agent: Agent) -> Mapping[str, Any]:
    """The resources, and among them the model behind the agent; a script has none."""
    model: ChatModel | None = None
    if isinstance(agent, TokenAgent):
        model = TokenModel(agent)
    elif isinstance(agent, ChatAgent):
        model = agent.model
    return resources if model is None else {**resources, POLICY: model}
