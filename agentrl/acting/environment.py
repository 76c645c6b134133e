"""Environment: a single-use async MDP over messages for one task."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from agentrl.acting.rewards import AnyReward, checked_names, rewards_of
from agentrl.acting.tool import AnyTool, Context, by_name, tools_of
from agentrl.acting.tool_caller import call_tools
from agentrl.errors import ConfigError
from agentrl.messages import Message, Observation, ToolSchema, as_messages
from agentrl.trajectory import Task, ToolResult


class Step(NamedTuple):
    """What the environment answers to one assistant message."""

    observation: Observation = ()  # a string is a user message; never of role "assistant"
    reward: float = 0.0  # earned by this turn, in the units of the MDP card
    terminated: bool = False  # the MDP ended; limits are the rollout's business
    results: tuple[ToolResult, ...] = ()  # of the tool calls that the message held
    valid: bool = True  # False where the message held no action that could be tried
    context: tuple[Message, ...] | None = None  # replaces the whole conversation, observation included


class Environment:
    """Base of all environments. Subclass it and write `reset`; mark tools with `@tool` and rewards with `@reward`.

    An instance plays one trajectory: `reset` once, `step` until it says terminated, `close` always. As it stands,
    `step` runs the tool calls of the message and ends the trajectory when there are none, or when `terminated`
    says so after them. Environments that are a text MDP override `step`.

    Example:
        class Counter(Environment):
            async def reset(self, task: Task) -> str:
                self.count, self.target = 0, task.data["target"]
                return f"Increment the counter to {self.target}."

            @tool
            async def add(self, amount: int) -> int:
                '''Add to the counter.'''
                self.count += amount
                return self.count

            @reward
            def reached(self) -> float:
                return float(self.count == self.target)
    """

    context: Context  # set by the rollout before reset

    async def reset(self, task: Task) -> Observation:
        """The first observation. Same task => same observation."""
        raise NotImplementedError(f"{type(self).__name__} must define `async def reset(self, task)`.")

    @property
    def tools(self) -> Mapping[str, AnyTool]:
        """The tools that the model may call, by name: as it stands, the methods marked with `@tool`."""
        return tools_of(self)

    @property
    def rewards(self) -> tuple[AnyReward, ...]:
        """The rewards: as it stands, the methods marked with `@reward` and `@turn_reward`."""
        return rewards_of(self)

    def tool_schemas(self) -> tuple[ToolSchema, ...]:
        """What the model is told about the tools."""
        return tuple(tool.schema for tool in self.tools.values())

    async def step(self, message: Message) -> Step:
        """Run the message's tool calls; end when there are none, or when the environment has terminated."""
        if not message.tool_calls:
            return Step(terminated=True)
        results = await call_tools(message.tool_calls, self.tools, self.context)
        observation = tuple(result.message() for result in results)
        return Step(observation, terminated=self.terminated, results=results)

    @property
    def terminated(self) -> bool:
        """Whether the MDP has ended; asked after the tool calls of a turn."""
        return False

    async def close(self) -> None:
        """Free what the environment holds; called once, whatever happened, under a deadline."""

    def state_key(self) -> Hashable:
        """The state as something that compares equal exactly when states do (anchor states); None: not offered."""
        return None

    def snapshot(self) -> Any:
        """The state as a value that `restore` takes, for branching without replaying; None: not offered."""
        return None

    def restore(self, state: Any) -> None:
        """Continue from a snapshot, taken from this or from another instance that plays the same task."""
        raise NotImplementedError(f"{type(self).__name__} does not offer snapshots.")


class ToolEnvironment(Environment):
    """A prompt from the task, tools and rewards that are given; it ends with the first message that calls no tool.

    A subclass may mark methods of its own with `@tool` and `@reward` besides.
    """

    def __init__(
        self, *, tools: Iterable[AnyTool] = (), rewards: Iterable[AnyReward] = (), prompt_key: str = "prompt"
    ) -> None:
        """An environment for one trajectory.

        Args:
            tools: What the model may call.
            rewards: What is scored.
            prompt_key: Where `task.data` has the prompt: a text, or messages in OpenAI's form.

        Raises:
            ConfigError: Two tools or two rewards have the same name.
        """
        self._tools = by_name((*tools_of(self).values(), *tools))
        self._rewards = checked_names((*rewards_of(self), *rewards))
        self._prompt_key = prompt_key

    @property
    def tools(self) -> Mapping[str, AnyTool]:
        """The given tools, and the marked methods."""
        return self._tools

    @property
    def rewards(self) -> tuple[AnyReward, ...]:
        """The given rewards, and the marked methods."""
        return self._rewards

    async def reset(self, task: Task) -> Observation:
        """The task's prompt.

        Raises:
            ConfigError: The task has none.
        """
        prompt = task.data.get(self._prompt_key)
        if isinstance(prompt, str):
            return as_messages(prompt)
        if not isinstance(prompt, Sequence) or not prompt:
            keys = ", ".join(map(repr, task.data)) or "nothing"
            raise ConfigError(
                f"The task {task.id!r} needs a text, or a list of messages, under {self._prompt_key!r}; it has {keys}."
            )
        return tuple(Message.from_openai(entry) for entry in cast(Sequence[Mapping[str, Any]], prompt))
