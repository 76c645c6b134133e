"""Household: find things in a room, treat them, bring them where they belong. ALFWorld's game, generated or real."""

from functools import partial
from pathlib import Path

from agentrl.acting.environment import Environment
from agentrl.acting.suite import Suite
from agentrl.errors import ConfigError
from agentrl.trajectory import Task
from agentrl_environments.household.corpus import open_corpus
from agentrl_environments.household.difficulty import ALFWORLD, Difficulty, difficulty_of
from agentrl_environments.household.env import HouseholdText, HouseholdTools, HouseOf
from agentrl_environments.household.experts import SCRIPTS
from agentrl_environments.household.house import House
from agentrl_environments.household.houses import generate
from agentrl_environments.household.lexicon import lexicon_of
from agentrl_environments.household.prompts import TOOLS_SYSTEM_PROMPT
from agentrl_environments.household.tasks import generated_splits

FORMS = ("tools", "text")


def suite(
    difficulty: str | Difficulty = "standard",
    actions: str = "tools",
    data: str | None = None,
    history: int | None = None,
) -> Suite:
    """The household.

    Args:
        difficulty: A name in `difficulty.DIFFICULTIES`, or a row of one's own; "alfworld" plays the real games.
        actions: "tools": a tool for each verb; "text": commands between <action> and </action>, as in the papers.
        data: Where the real games are, which are then played; for "alfworld", else the variable ALFWORLD_DATA says it.
        history: With "text": each turn is one prompt, which repeats so many of the last turns; else the talk grows.

    Raises:
        ConfigError: There is no such difficulty or form of actions, or the real games are not found.
    """
    row = difficulty if isinstance(difficulty, Difficulty) else difficulty_of(difficulty)
    _check_actions(actions, history)
    if data is not None or row.name == ALFWORLD:
        corpus = open_corpus(data)
        splits, house_of = corpus.splits, corpus.house
    else:
        splits, house_of = generated_splits(row), partial(_generated_house, row)

    def make() -> Environment:
        return HouseholdTools(house_of, row) if actions == "tools" else HouseholdText(house_of, row, history)

    return Suite(
        name="household",
        splits=splits,
        make=make,
        scripts=SCRIPTS,
        max_turns=row.max_turns,
        system_prompt=TOOLS_SYSTEM_PROMPT if actions == "tools" and not row.is_compact else None,
        parser="hermes" if actions == "tools" else "plain",
        lexicon=lexicon_of(row),
        answers=partial(_answers, house_of),
        card=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    )


def _generated_house(difficulty: Difficulty, task: Task) -> House:
    return generate(task.seed, difficulty)


def _answers(house_of: HouseOf, task: Task) -> list[str]:
    """Where each thing that the goal speaks of is at the start."""
    house = house_of(task)
    return [
        f"{house.things[index].name} is {'in' if house.receptacles[place].openable else 'on'} "
        f"{house.receptacles[place].name}"
        for index in house.candidates
        for place in house.things[index].receptacles
    ]


def _check_actions(actions: str, history: int | None) -> None:
    if actions not in FORMS:
        raise ConfigError(f"household has no actions={actions!r}; it has {', '.join(FORMS)}.")
    if history is not None and (actions != "text" or history < 0):
        raise ConfigError(f"household was given history={history!r}; it takes 0 or more, with actions='text' only.")
