"""An environment of one's own: the MDP, its tasks, an expert; checked, and played by the expert.

Run it: python examples/01_write_an_environment.py
"""

import asyncio

from rich.console import Console

import agentrl as ar
from agentrl.evaluate import evaluate, render
from agentrl.testing import render_checks

CARD = "# vault: find the code. Action: a call of `guess`. Reward: 1 when the vault opens, else 0. Horizon: 8 turns."


class Vault(ar.Environment):
    """A number from 0 to 99 is to be found; every guess is answered with higher or lower."""

    async def reset(self, task: ar.Task) -> str:
        """The first thing the agent reads."""
        self.code, self.low, self.high, self.is_open = task.data["code"], 0, 99, False
        return "The vault's code is a number from 0 to 99. Guess it."

    @ar.tool
    async def guess(self, number: int) -> str:
        """Try a code.

        Args:
            number: From 0 to 99.
        """
        if not 0 <= number <= 99:
            raise ar.ToolError("The code is a number from 0 to 99.")
        self.is_open = number == self.code
        if number < self.code:
            self.low = max(self.low, number + 1)
        if number > self.code:
            self.high = min(self.high, number - 1)
        return "The vault opens." if self.is_open else ("Higher." if number < self.code else "Lower.")

    @property
    def terminated(self) -> bool:
        """Asked after the calls of every turn."""
        return self.is_open

    @ar.reward
    async def opened(self) -> float:
        """1 for an open vault."""
        return float(self.is_open)

    def state_key(self) -> tuple[int, int, int]:
        """Two states are the same where the same is known: turns are compared there."""
        return self.code, self.low, self.high


def expert(environment: Vault, rng: object) -> object:
    """Halves what is left; proof that eight turns are enough."""
    middle = lambda: {"number": (environment.low + environment.high) // 2}  # noqa: E731
    return lambda messages: ar.Message("assistant", "", (ar.ToolCall("guess", middle()),))


def suite() -> ar.Suite:
    """What `agentrl env check`, `eval` and `train` take."""
    tasks = [ar.Task(f"vault-{code}", code, {"code": code}) for code in range(100)]
    splits = {"train": tasks[::2], "test": tasks[1::2]}
    return ar.Suite(name="vault", splits=splits, make=Vault, scripts={"expert": expert}, max_turns=8, card=CARD)


async def main(console: Console) -> None:
    """Check the environment, then let the expert play it."""
    console.print(render_checks(await ar.check_environment(suite())))
    stage = ar.Stage(suite=suite(), agent=ar.ScriptedAgent(expert), limits=ar.Limits(max_turns=8))
    console.print(render(await evaluate(stage, split="test", agent="expert")))


if __name__ == "__main__":
    asyncio.run(main(Console()))
