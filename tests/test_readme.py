import re
from pathlib import Path

from agentrl.testing import check_environment

README = (Path(__file__).parent.parent / "README.md").read_text()


def code_blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


async def test_the_environment_of_the_readme_keeps_the_contract():
    names = {}
    exec("\n".join(code_blocks("python")), names)
    checks = await check_environment(names["suite"](), num_tasks=10)
    failed = [check for check in checks if not check.passed]
    assert [check.name for check in failed] == ["MDP card"], failed


def test_the_first_block_shows_an_environment_in_about_12_lines():
    class_lines = code_blocks("python")[0].partition("class ")[2].splitlines()
    assert sum(bool(line.strip()) for line in class_lines) <= 17


def test_there_are_two_command_lines_each_with_its_own_set_up():
    lines = code_blocks("bash")
    assert len(lines) == 2
    for line in lines:
        assert line.strip().count("\n") == 0
        assert line.startswith("python3 -m venv")


def test_the_folders_and_run_files_that_are_named_are_there():
    root = Path(__file__).parent.parent
    for name in re.findall(r"\| `([a-z/_.]+)` \|", README):
        assert (root / name).exists(), name
    for name in re.findall(r"examples/runs/\w+\.toml", README):
        assert (root / name).is_file(), name
