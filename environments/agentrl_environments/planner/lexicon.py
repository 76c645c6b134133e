"""Lexicon: the names and quantities that a tokenizer trained for the planner keeps whole: copying is then one token."""

from agentrl_environments.planner.difficulty import Difficulty
from agentrl_environments.planner.worlds import COLUMNS, CONVERTIBLE, FIRMS, PEOPLE, TOWNS, with_unit


def lexicon_of(difficulty: Difficulty) -> tuple[str, ...]:
    """Names, columns and tools; with compact prompts also every quantity, of which there are then few."""
    words = {*PEOPLE, *TOWNS, *COLUMNS, *difficulty.tools}
    if not difficulty.is_compact:
        return tuple(sorted(words | set(FIRMS)))
    columns = [COLUMNS[name] for name in CONVERTIBLE]
    finer = {column.finer for column in columns}
    quantities = {
        with_unit(number, column.unit)
        for column in columns
        for number in range(column.low, column.high + 1, column.step)
    }
    return tuple(sorted((words - {"inhabitants"}) | finer | quantities))
