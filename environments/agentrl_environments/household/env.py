"""The household as an environment, in two forms: tool calls, a tool for each verb, and commands written as text."""

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple, TypeAlias

from agentrl.acting.environment import Environment, Step
from agentrl.acting.parsers import action_tag
from agentrl.acting.tool import AnyTool, tool
from agentrl.messages import Message
from agentrl.trajectory import Task
from agentrl_environments.household import prompts
from agentrl_environments.household.actions import calling, parse, saying
from agentrl_environments.household.difficulty import Difficulty
from agentrl_environments.household.house import House
from agentrl_environments.household.play import Play, PlayState

HouseOf: TypeAlias = Callable[[Task], House]  # the house in which a task is played


class HouseholdTools(Environment):
    """The household played by tool calls, which the game's sentences answer."""

    play: Play

    def __init__(self, house_of: HouseOf, difficulty: Difficulty) -> None:
        self._house_of = house_of
        self._difficulty = difficulty
        self._offered: Mapping[str, AnyTool] | None = None

    async def reset(self, task: Task) -> str:
        """What is seen from the middle of the room, and the task."""
        self.play = Play(self._house_of(task), self._difficulty)
        return self.play.observation

    async def step(self, message: Message) -> Step:
        """Carry out the message's calls; the turn that reaches the goal earns 1."""
        if not message.tool_calls:
            return Step(prompts.TOOLS_HINT, valid=False)
        step = await super().step(message)
        return step._replace(reward=float(step.terminated))

    @property
    def terminated(self) -> bool:
        """Whether the goal has been reached."""
        return self.play.is_won

    @property
    def tools(self) -> Mapping[str, AnyTool]:
        """The tools that the difficulty offers."""
        if self._offered is None:
            every = super().tools
            self._offered = {name: every[name] for name in self._difficulty.tools}
        return self._offered

    def choices(self) -> list[str]:
        """The commands that can be carried out now by the tools that are offered."""
        return [command for command in self.play.game.commands if self._can_call(command)]

    def message(self, command: str) -> Message:
        """The command as an assistant says it here."""
        return calling(command, short=self._difficulty.has_short_calls)

    def _can_call(self, command: str) -> bool:
        parsed = parse(command)
        return parsed is not None and parsed.tool in self._difficulty.tools

    def state_key(self) -> Hashable:
        """The state of the room: where everything is and what has been done to it."""
        return self.play.game.key()

    def snapshot(self) -> PlayState:
        """The state of the game."""
        return self.play.snapshot()

    def restore(self, state: PlayState) -> None:
        """Go on from a state."""
        self.play = Play.resumed(state, self._difficulty)

    def _do(self, beginning: str, receptacle: str, preposition: str) -> str:
        """The answer to a command that names a receptacle, or to the one for the receptacle at hand."""
        if receptacle:
            return self.play.act(f"{beginning} {preposition} {receptacle}")
        return self.play.act_here(f"{beginning} {preposition}")

    @tool
    async def go_to(self, receptacle: str) -> str:
        """Go to a receptacle and see what is on it, or in it if it is open.

        Args:
            receptacle: Its name, as "cabinet 1".
        """
        return self.play.act(f"go to {receptacle}")

    @tool(name="open")
    async def open_receptacle(self, receptacle: str) -> str:
        """Open the receptacle before you.

        Args:
            receptacle: Its name.
        """
        return self.play.act(f"open {receptacle}")

    @tool(name="close")
    async def close_receptacle(self, receptacle: str) -> str:
        """Close the receptacle before you.

        Args:
            receptacle: Its name.
        """
        return self.play.act(f"close {receptacle}")

    @tool
    async def take(self, object: str, receptacle: str = "") -> str:
        """Take an object from the receptacle before you; your hands must be empty.

        Args:
            object: Its name, as "mug 1".
            receptacle: What it is in or on; the one before you if left out.
        """
        return self._do(f"take {object}", receptacle, "from")

    @tool
    async def move(self, object: str, receptacle: str = "") -> str:
        """Put the object that you carry into or onto the receptacle before you.

        Args:
            object: Its name.
            receptacle: Where to put it; the one before you if left out.
        """
        return self._do(f"move {object}", receptacle, "to")

    @tool
    async def use(self, object: str) -> str:
        """Turn on a lamp that is before you.

        Args:
            object: Its name.
        """
        return self.play.act(f"use {object}")

    @tool
    async def clean(self, object: str, receptacle: str = "") -> str:
        """Clean the object that you carry, in the sink before you.

        Args:
            object: Its name.
            receptacle: The sink; the one before you if left out.
        """
        return self._do(f"clean {object}", receptacle, "with")

    @tool
    async def heat(self, object: str, receptacle: str = "") -> str:
        """Heat the object that you carry, in the microwave before you.

        Args:
            object: Its name.
            receptacle: The microwave; the one before you if left out.
        """
        return self._do(f"heat {object}", receptacle, "with")

    @tool
    async def cool(self, object: str, receptacle: str = "") -> str:
        """Cool the object that you carry, in the fridge before you.

        Args:
            object: Its name.
            receptacle: The fridge; the one before you if left out.
        """
        return self._do(f"cool {object}", receptacle, "with")

    @tool
    async def slice(self, object: str, knife: str) -> str:
        """Slice an object before you with the knife that you carry.

        Args:
            object: Its name.
            knife: The knife's name.
        """
        return self.play.act(f"slice {object} with {knife}")

    @tool
    async def examine(self, name: str) -> str:
        """Look closely at the receptacle before you, or at the object that you carry.

        Args:
            name: The receptacle's or the object's name.
        """
        return self.play.act(f"examine {name}")

    @tool
    async def inventory(self) -> str:
        """See what you carry."""
        return self.play.act("inventory")

    @tool
    async def look(self) -> str:
        """See where you are."""
        return self.play.act("look")


class TextState(NamedTuple):
    """The state of an episode that is played by commands as text."""

    play: PlayState
    observation: str
    past: tuple[prompts.Exchange, ...]
    num_past: int


class HouseholdText(Environment):
    """The household played by commands between `<action>` and `</action>`, as in the papers."""

    play: Play

    def __init__(self, house_of: HouseOf, difficulty: Difficulty, history: int | None) -> None:
        """An environment whose conversation grows, or is one prompt a turn with the last `history` exchanges in it."""
        self._house_of = house_of
        self._difficulty = difficulty
        self._history = history
        self._past: deque[prompts.Exchange] = deque(maxlen=history or 0)
        self._num_past = 0

    async def reset(self, task: Task) -> str:
        """What is seen from the middle of the room, the task, and what can be done."""
        self.play = Play(self._house_of(task), self._difficulty)
        self._observation = self.play.observation
        return prompts.first_prompt(self._observation, self._commands())

    async def step(self, message: Message) -> Step:
        """Carry out the command; the turn that reaches the goal earns 1."""
        command = action_tag(message.text)
        answer = prompts.TEXT_HINT if command is None else self.play.act(command)
        self._past.append(prompts.Exchange(self._observation, command or ""))
        self._num_past += 1
        self._observation = answer
        observation, won = prompts.next_prompt(answer, self._commands()), self.play.is_won
        context = None if self._history is None else (Message("user", self._window()),)
        return Step(observation, float(won), won, valid=command is not None, context=context)

    def choices(self) -> list[str]:
        """The commands that can be carried out now, but for `help`."""
        return [command for command in self.play.game.commands if command != "help"]

    def message(self, command: str) -> Message:
        """The command as an assistant says it here."""
        return saying(command)

    def state_key(self) -> Hashable:
        """The state of the room: where everything is and what has been done to it."""
        return self.play.game.key()

    def snapshot(self) -> TextState:
        """The state of the game, and what the next prompt shows of the past."""
        return TextState(self.play.snapshot(), self._observation, tuple(self._past), self._num_past)

    def restore(self, state: TextState) -> None:
        """Go on from a state."""
        self.play = Play.resumed(state.play, self._difficulty)
        self._observation, self._num_past = state.observation, state.num_past
        self._past.clear()
        self._past.extend(state.past)

    def _commands(self) -> list[str]:
        """The commands to list: none where observations are compact."""
        return [] if self._difficulty.is_compact or self.play.is_won else self.choices()

    def _window(self) -> str:
        task = self.play.game.house.task
        return prompts.window_prompt(task, list(self._past), self._num_past, self._observation, self._commands())
