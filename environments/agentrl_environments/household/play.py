"""Play: a game as an agent meets it, commands in and observations out, in ALFWorld's sentences or in one short line."""

from typing import NamedTuple

from agentrl_environments.household.actions import normalised
from agentrl_environments.household.difficulty import Difficulty
from agentrl_environments.household.engine import Game, State
from agentrl_environments.household.house import House
from agentrl_environments.household.language import NOTHING_HAPPENS
from agentrl_environments.household.status import status_line

WON = "The task is done."
TOO_LATE = "There is no time left."


class PlayState(NamedTuple):
    """The state of a play as a value."""

    house: House
    game: State
    num_commands: int
    is_won: bool
    observation: str


class Play:
    """One game, until it is won or as many commands have been given as it takes at most.

    The limit of turns is the rollout's; but a turn may hold several tool calls, and each is a step of the game.
    """

    def __init__(self, house: House, difficulty: Difficulty) -> None:
        self.game = Game(house)
        self.num_commands = 0
        self.is_won = False  # and stays so, whatever would be done after it
        self._difficulty = difficulty
        self.observation = self._intro()  # the last one

    def _intro(self) -> str:
        if not self._difficulty.is_compact:
            return self.game.intro()
        names = ", ".join(place.name for place in reversed(self.game.house.receptacles))
        return f"You see {names}. {status_line(self.game)}"

    def act(self, command: str) -> str:
        """The observation after the command, however it is spelled."""
        self.observation = self._answer(command)
        return self.observation

    def _answer(self, command: str) -> str:
        if self.is_won:
            return WON
        if self.num_commands >= self._difficulty.max_turns:
            return TOO_LATE
        self.num_commands += 1
        answer = self.game.step(normalised(command))
        self.is_won = self.game.won
        if not self._difficulty.is_compact:
            return answer
        line = status_line(self.game)
        return f"{NOTHING_HAPPENS} {line}" if answer == NOTHING_HAPPENS else line

    def act_here(self, beginning: str) -> str:
        """The observation after the first command that goes on like this: the receptacle is one that is here."""
        words = normalised(beginning) + " "
        return self.act(next((command for command in self.game.commands if command.startswith(words)), beginning))

    def snapshot(self) -> PlayState:
        """The state as a value."""
        return PlayState(self.game.house, self.game.snapshot(), self.num_commands, self.is_won, self.observation)

    @classmethod
    def resumed(cls, state: PlayState, difficulty: Difficulty) -> "Play":
        """A play that goes on from the state."""
        play = cls(state.house, difficulty)
        play.game.restore(state.game)
        play.num_commands, play.is_won, play.observation = state.num_commands, state.is_won, state.observation
        return play
