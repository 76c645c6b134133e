import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from agentrl.acting.curriculum.table import CURRICULA
from agentrl.acting.explore.table import EXPLORERS
from agentrl.cli import main
from agentrl.errors import ConfigError
from agentrl.learning.algorithms import ALGORITHMS, Part
from agentrl.view.algorithms import BEGIN, END, entries, entry, markdown, render, write

README = Path(__file__).parent.parent / "agentrl" / "learning" / "README.md"
GRPO = ALGORITHMS["grpo"]


def test_the_readme_of_the_learning_half_has_the_table_as_it_is() -> None:
    _, begin, rest = README.read_text().partition(BEGIN)
    table, end, _ = rest.partition(END)
    assert begin
    assert end
    assert table.strip() == markdown().strip(), (
        "The table in agentrl/learning/README.md is out of date. Write it anew, from the root of the repository: "
        "agentrl algorithms --write agentrl/learning/README.md"
    )


def test_the_files_that_the_readme_names_are_there() -> None:
    named = re.findall(r"`([a-z_]+(?:\.py|/))`", README.read_text())
    assert len(named) > 10
    for name in named:
        assert (README.parent / name).exists(), name
    for name in re.findall(r"`(examples/[\w/.]+)`", README.read_text()):
        assert (README.parents[2] / name).is_file(), name


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_every_row_says_what_it_does_where_it_is_from_and_how_it_was_checked(name: str) -> None:
    row = ALGORITHMS[name]
    assert re.fullmatch(r"[A-Z].{10,120}\.", row.summary)
    assert row.checked in ("vectors", "formulas", "paper only")
    assert re.fullmatch(r"|arXiv \d{4}\.\d{4,5}|[A-Z]\w+ \d{4}", row.paper), row.paper


def test_every_row_is_a_line() -> None:
    assert [each.name for each in entries()] == list(ALGORITHMS)
    lines = [line for line in markdown().splitlines() if line.startswith("| `")]
    assert len(lines) == len(ALGORITHMS)
    assert all(line.count("|") == 7 for line in lines)
    assert "| `gigpo` | [arXiv 2505.10978](https://arxiv.org/abs/2505.10978) |" in markdown()
    assert any(line.startswith("| `turn_return` | our own |") for line in lines)
    console = Console(file=io.StringIO(), width=100)
    console.print(render())
    assert isinstance(console.file, io.StringIO)
    assert all(name in console.file.getvalue() for name in ALGORITHMS)


def test_what_a_row_needs_and_costs_follows_from_its_parts() -> None:
    assert (entry("x", GRPO).needs, entry("x", GRPO).costs) == ("-", "-")
    held = entry("x", replace(GRPO, kl_coefficient=0.1))
    assert held.costs == "a forward pass of a reference model"
    taught = entry("x", replace(GRPO, kl_coefficient=0.1, annotators=(Part("teacher", {"path": "t"}),)))
    assert taught.costs == "a forward pass of the teacher"
    assert taught.needs == "a teacher with the same tokenizer"
    told = entry(
        "x", replace(GRPO, needs=("state keys",), annotators=(Part("information_gain"),), needs_entropies=True)
    )
    assert told.needs == "state keys, entropies, answers"
    imitating = entry("x", replace(GRPO, explorer=Part("hint"), imitation=Part("chord")))
    assert imitating.needs == "an expert"
    forked = entry("x", replace(GRPO, needs=("entropies",), explorer=Part("branch"), needs_step_logprobs=True))
    assert forked.needs == "entropies"
    assert forked.costs.endswith("without snapshots, a forward pass before each update")


def test_a_part_that_the_table_does_not_know_is_named() -> None:
    row = replace(GRPO, explorer=Part("mine:Explorer"), curriculum=Part("own"), annotators=(Part("my_prm"),))
    assert entry("x", row).costs == "explorer mine:Explorer, curriculum own, annotator my_prm"


def test_every_part_that_comes_with_agentrl_is_known_to_the_table() -> None:
    from agentrl.learning.annotate import ANNOTATORS

    for name in ANNOTATORS:
        assert "annotator" not in entry("x", replace(GRPO, annotators=(Part(name),))).costs, name
    for name in EXPLORERS:
        assert "explorer" not in entry("x", replace(GRPO, explorer=Part(name))).costs, name
    for name in CURRICULA:
        assert "curriculum" not in entry("x", replace(GRPO, curriculum=Part(name))).costs, name


def test_the_table_is_written_between_the_markers_and_nothing_else_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    write(path)
    assert path.read_text() == f"before\n\n{BEGIN}\n\n{markdown()}\n{END}\n\nafter\n"
    write(path)
    assert path.read_text().count("| `grpo` |") == 1


def test_a_file_without_the_markers_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no file"):
        write(tmp_path / "none.md")
    (tmp_path / "page.md").write_text(f"{END} {BEGIN}")
    with pytest.raises(ConfigError, match="does not say where the table of algorithms goes"):
        write(tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text() == f"{END} {BEGIN}"


@pytest.mark.parametrize(("options", "shown"), [([], "turn_return"), (["--markdown"], markdown())])
def test_the_command_prints_the_table(
    options: list[str], shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["agentrl", "algorithms", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert shown in capsys.readouterr().out
