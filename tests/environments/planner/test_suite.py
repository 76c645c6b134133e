"""What the suite offers, and what it refuses."""

import pytest

from agentrl.acting.suite import load_suite
from agentrl.acting.tool import tool
from agentrl.errors import ConfigError
from agentrl.testing import check_environment
from agentrl_environments.planner import suite
from agentrl_environments.planner.difficulty import DIFFICULTIES


def test_the_suite_is_found_by_its_name():
    assert load_suite("planner").max_turns == 8
    assert load_suite("planner", {"difficulty": "quick"}).max_turns == 5


@pytest.mark.parametrize("difficulty", list(DIFFICULTIES))
async def test_the_contract_of_environments_is_kept(difficulty):
    checks = await check_environment(suite(difficulty), num_tasks=20)
    assert not [check for check in checks if not check.passed]
    (injected,) = [check for check in checks if check.name == "faults are excluded"]
    assert "table" in injected.detail


def test_wrong_arguments_are_refused_with_what_there_is():
    with pytest.raises(ConfigError, match="no difficulty 'hard'; it has standard, quick"):
        suite("hard")
    with pytest.raises(ConfigError, match="verifyer"):
        load_suite("planner", {"verifyer": "scripted"})

    @tool
    async def twice(key: str) -> str:
        """Do it."""
        return key

    with pytest.raises(ConfigError, match="Two tools are called 'twice'"):
        suite(tools=[twice, twice])


@pytest.mark.parametrize("difficulty", list(DIFFICULTIES))
def test_the_lexicon_holds_every_name_that_can_come_up(difficulty):
    made = suite(difficulty)
    lexicon = set(made.lexicon)
    for task in made.tasks("train")[:200]:
        assert set(task.data["directory"]) | set(task.data["table"]) <= lexicon
        if difficulty == "quick":
            assert {cell for cells in task.data["table"].values() for cell in cells.values()} <= lexicon
    assert set(made.make().tools) <= lexicon
    assert len(lexicon) < 140


def test_the_suite_says_what_a_task_turns_on(task):
    assert suite().answers(task) == [
        "The answer to 'What is the distance of the town where Mira lives, in m?' is 12000 m"
    ]


def difficulty_table() -> str:
    """The card's table of difficulties, as it has to be."""
    lines = ["| name | steps | questions | people, towns | tools | prompts |", "|---" * 6 + "|"]
    for row in DIFFICULTIES.values():
        kinds = "all six" if len(row.kinds) == 6 else ", ".join(row.kinds)
        told = "one line a step" if row.is_compact else "in full"
        cells = [row.name, str(row.max_steps), kinds, f"{row.num_people}, {row.num_towns}", ", ".join(row.tools), told]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def test_the_card_s_table_of_difficulties_is_the_table_of_the_code():
    assert difficulty_table() in suite().card, difficulty_table()
