"""Play: a game as an agent meets it, commands in and observations out, in ALFWorld's sentences or in one short line."""

from typing import NamedTuple

from agentrl_environments.household.actions import normalised
from agentrl_environments.household.engine import Game, State
from agentrl_environments.household.house import House
from agentrl_environments.household.language import NOTHING_HAPPENS
from agentrl_environments.household.status import status_line

OVER = "The task is done."


class PlayState(NamedTuple):
    """The state of a play as a value."""

    house: House
    game: State
    is_won: bool
    observation: str


class Play:
    """One game until it is won."""

    def __init__(self, house: House, *, is_compact: bool) -> None:
        self.game = Game(house)
        self.is_won = False  # and stays so, whatever would be done after it
        self.is_compact = is_compact
        self.observation = self._intro()  # the last one

    def _intro(self) -> str:
        if not self.is_compact:
            return self.game.intro()
        names = ", ".join(place.name for place in reversed(self.game.house.receptacles))
        return f"You see {names}. {status_line(self.game)}"

    def act(self, command: str) -> str:
        """The observation after the command, however it is spelled."""
        self.observation = OVER if self.is_won else self._answer(command)
        return self.observation

    def _answer(self, command: str) -> str:
        answer = self.game.step(normalised(command))
        self.is_won = self.game.won
        if not self.is_compact:
            return answer
        line = status_line(self.game)
        return f"{NOTHING_HAPPENS} {line}" if answer == NOTHING_HAPPENS else line

    def act_here(self, beginning: str) -> str:
        """The observation after the first command that goes on like this: the receptacle is one that is here."""
        words = normalised(beginning) + " "
        return self.act(next((command for command in self.game.commands if command.startswith(words)), beginning))

    def snapshot(self) -> PlayState:
        """The state as a value."""
        return PlayState(self.game.house, self.game.snapshot(), self.is_won, self.observation)

    @classmethod
    def resumed(cls, state: PlayState, *, is_compact: bool) -> "Play":
        """A play that goes on from the state."""
        play = cls(state.house, is_compact=is_compact)
        play.game.restore(state.game)
        play.is_won, play.observation = state.is_won, state.observation
        return play
