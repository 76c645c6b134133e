import io
import sys
from pathlib import Path
from statistics import correlation, fmean, stdev
from typing import Any

import pytest
from rich.console import Console

from agentrl.cli import main
from agentrl.config import RunConfig
from agentrl.errors import ConfigError
from agentrl.learning.algorithms import Part
from agentrl.messages import Message, ToolCall
from agentrl.trajectory import (
    Outcome,
    StoredTrajectory,
    Task,
    Trajectory,
    Turn,
    read_trajectories,
    write_trajectories,
)
from agentrl.view.credit import view_credit

GIGPO = Part("gigpo", {"discount": 0.5, "std": False})
DR_GRPO = Part("dr_grpo")
TINY_RUN = {
    "seed": 3,
    "environment": {"name": "household", "args": {"difficulty": "quick"}},
    "model": {"path": "tiny", "args": {"size": "0.1m"}, "threads": 1},
    "warm_start": {"steps": 2, "script": "novice", "trajectories_per_step": 4},
    "rollout": {"groups_per_step": 2, "group_size": 3, "max_turns": 5, "max_turn_tokens": 24, "concurrency": 4},
    "algorithm": {"name": "gigpo", "args": {"discount": 0.9}},
    "optimizer": {"steps": 2, "name": "muon", "learning_rate": 5e-4},
    "evaluation": {"num_tasks": 0},
    "checkpoint": {"trajectories_every": 1},
}


def turn(state: str | None, reward: float = 0.0, **more: Any) -> Turn:
    message = (
        Message("assistant", "", (ToolCall("go_to", {"place": state}, "a"),)) if state else Message("assistant", "")
    )
    ids = {"context_ids": (1,), "action_ids": (2, 3), "logprobs": (-1.0, -0.5)}
    return Turn(**{"message": message, "reward": reward, "state_key": state, **ids, **more})  # pyright: ignore


def entry(name: str, *turns: Turn, step: int = 1, outcome: Outcome = Outcome.FINISHED, **more: Any) -> StoredTrajectory:
    """The trajectory "GROUP-NUMBER"; it succeeds if it earns anything."""
    group = name.rpartition("-")[0]
    trajectory = Trajectory(
        id=name,
        task=Task(f"task-of-{group}"),
        prompt=(Message("user", "Go."),),
        turns=turns,
        outcome=outcome,
        success=any(turn.reward for turn in turns),
    )
    return StoredTrajectory(trajectory=trajectory, step=step, group=group, **more)


# With a discount of 1/2, the first group's returns-to-go are 1/2 1 | 0 0 | 0 0 (0.1 less for what cannot be tried), the
# second one's 1/4 1/2 1 | 1/2 1.
STORED = [
    entry("g1-000", turn("hall"), turn("attic", 1.0)),
    entry("g1-001", turn("hall"), turn("cellar")),
    entry("g1-002", turn("hall"), turn("attic", valid=False)),
    entry("g1-003", turn("hall"), outcome=Outcome.INFRA_ERROR),
    entry("g2-000", turn("lawn"), turn("lawn"), turn("shed", 1.0)),
    entry("g2-001", turn("lawn"), turn("shed", 1.0)),
    entry("g3-000", turn("moor"), step=2),
    entry("g3-001", turn("moor"), turn("moor"), step=2),
]
GIGPO_U = [1, 7 / 6 + 0.05, -1 / 2, -1 / 3, -1 / 2, -1 / 3 - 0.65, -1 / 6, 1 / 12, 0, 1 / 12, 0]  # of step 1
DR_GRPO_U = [2 / 3] * 2 + [-1 / 3] * 4 + [0] * 5


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_trajectories(tmp_path / "trajectories.jsonl", STORED)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run, with the trajectories of both of its steps."""
    from agentrl.train import train

    return train(RunConfig.parse(TINY_RUN), tmp_path_factory.mktemp("runs") / "tiny")


def shown(run: Path, *algorithms: Part, width: int = 160, **choices: Any) -> str:
    console = Console(file=io.StringIO(), width=width)
    view_credit(run, algorithms, console=console, **choices)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().split("\n"))


def rows(text: str) -> dict[str, list[str]]:
    """The cells of each trajectory's line."""
    lines = (line.split() for line in text.splitlines())
    return {cells[0]: cells[1:] for cells in lines if cells and "-00" in cells[0]}


def explained(run: Path, name: str, *algorithms: Part, **choices: Any) -> dict[str, list[str]]:
    """The lines of each turn, and under "" those before the first."""
    turns: dict[str, list[str]] = {}
    lines = turns.setdefault("", [])
    for line in shown(run, *algorithms, trajectory_id=name, **choices).splitlines():
        if line.startswith("turn "):
            lines = turns.setdefault(line.split()[1], [])
        if line:
            lines.append(" ".join(line.split()))
    return turns


def command(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["agentrl", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_table_has_each_trajectory_with_what_it_earned_and_gets(run: Path) -> None:
    got = rows(shown(run, GIGPO, step=1))
    assert got["g1-000"] == ["task-of-g1", "1", "yes", "2", f"{fmean(GIGPO_U[:2]):+.3f}", "++"]
    assert got["g1-001"] == ["0", "no", "2", f"{fmean(GIGPO_U[2:4]):+.3f}", "--"]
    assert got["g1-002"] == ["0", "no", "2", f"{fmean(GIGPO_U[4:6]):+.3f}", "--"]
    assert got["g2-000"] == ["task-of-g2", "1", "yes", "3", f"{fmean(GIGPO_U[6:9]):+.3f}", "-+."]
    assert got["g2-001"] == ["1", "yes", "2", f"{fmean(GIGPO_U[9:]):+.3f}", "+."]
    assert got.keys() == {"g1-000", "g1-001", "g1-002", "g2-000", "g2-001"}


def test_there_is_a_table_for_each_step_and_what_was_excluded_is_said(run: Path) -> None:
    text = shown(run, GIGPO)
    assert "step 1   gigpo(discount=0.5, std=False)\n2 groups, 5 trajectories, 11 turns\n" in text
    assert "1 excluded, and left out: g1-003 (infra_error)" in text
    assert (
        "step 2   gigpo(discount=0.5, std=False)\n1 groups, 2 trajectories, 3 turns; 1 groups get no advantage" in text
    )
    assert rows(text)["g3-001"] == ["0", "no", "2", "0", ".."]


def test_two_algorithms_are_compared_turn_by_turn(run: Path) -> None:
    text = shown(run, GIGPO, DR_GRPO)
    assert rows(text)["g1-000"] == ["1", "yes", "2", f"{fmean(GIGPO_U[:2]):+.3f}", "++", "+0.667", "++"]
    assert rows(text)["g2-000"] == ["1", "yes", "3", f"{fmean(GIGPO_U[6:9]):+.3f}", "-+.", "0", "...", "2"]
    here, everywhere = correlation(GIGPO_U, DR_GRPO_U), correlation([*GIGPO_U, 0, 0, 0], [*DR_GRPO_U, 0, 0, 0])
    differ = f"signs differ on {3 / 11:.3f} of them (0.000 opposite, {3 / 11:.3f} with one of the two 0)"
    assert f"correlation {here:+.3f} over 11 turns; {differ}" in text
    assert "correlation undefined over 3 turns; signs differ on 0.000 of them" in text
    assert f"all 2 steps   correlation {everywhere:+.3f} over 14 turns; signs differ on {3 / 14:.3f}" in text


def test_opposite_signs_are_told_from_silence(run: Path) -> None:
    plain = Part("gigpo", {"discount": 0.5, "std": False, "step_weight": 0.0, "invalid_penalty": 0.0})
    turned = Part("gigpo", {"discount": 0.5, "std": False, "step_weight": -3.0})
    text = shown(run, plain, turned, step=1)
    # In the first group, all turn around but the turn that is alone in its state; the second has only the step part.
    assert f"signs differ on {8 / 11:.3f} of them ({5 / 11:.3f} opposite, {3 / 11:.3f} with one of the two 0)" in text


def test_algorithms_of_one_name_are_headed_by_their_arguments(run: Path) -> None:
    head = shown(run, Part("gigpo"), GIGPO, step=1, width=200).splitlines()
    assert any("gigpo " in line and "gigpo(discount=0.5, std=False)" in line and "turns" in line for line in head)
    head = shown(run, GIGPO, DR_GRPO, step=1, width=200).splitlines()
    assert not any("gigpo(" in line and "trajectory" in line for line in head)


def test_whole_groups_are_listed_up_to_the_limit_those_with_credit_first(tmp_path: Path) -> None:
    silent = [entry(f"a{g}-00{n}", turn("x")) for g in range(2) for n in range(2)]
    write_trajectories(tmp_path / "trajectories.jsonl", [*silent, *(one for one in STORED if one.step == 1)])
    assert rows(shown(tmp_path, GIGPO, limit=5)).keys() == {"g1-000", "g1-001", "g1-002", "g2-000", "g2-001"}
    text = shown(tmp_path, GIGPO, limit=1)
    assert rows(text).keys() == {"g1-000", "g1-001", "g1-002"}
    assert "3 more groups; --limit lists more of them." in text
    assert list(rows(shown(tmp_path, GIGPO))) == [
        "g1-000", "g1-001", "g1-002", "g2-000", "g2-001", "a0-000", "a0-001", "a1-000", "a1-001"
    ]  # fmt: skip


def test_a_trajectory_is_explained_turn_by_turn(run: Path) -> None:
    turns = explained(run, "g1-002", GIGPO)
    assert "1: 000 | 0: this one, 001 | mean 0.333, spread 0.577 over 3 trajectories" in turns[""][-2]
    assert turns["1"] == [
        "turn 1 go_to(place='hall')",
        "advantage -0.500 = episode -0.333, step -0.167 reward 0 return-to-go 0",
        "same state 0.5: 000#1 | 0: this turn, 001#1 | mean 0.167, spread 0.289 over 3 turns",
        "why Worse than 1 of 2 siblings in the same state; its trajectory was worse than 1 of 2 siblings.",
    ]
    spread = stdev([1, -0.1])
    assert turns["2"] == [
        "turn 2 go_to(place='attic') invalid",
        "advantage -0.983 = episode -0.433, step -0.550 reward 0 return-to-go 0 - 0.1, invalid",
        f"same state 1: 000#2 | -0.1: this turn | mean 0.45, spread {spread:.3g} over 2 turns",
        "why Worse than the one sibling in the same state; its trajectory was worse than 1 of 2 siblings; it held no "
        "action that could be tried.",
    ]


def test_other_visits_of_ones_own_and_states_of_ones_own_are_said(run: Path) -> None:
    turns = explained(run, "g2-000", GIGPO)
    assert turns["1"][2].startswith("same state 0.5: 000#2, 001#1 | 0.25: this turn | mean 0.417")
    assert turns["1"][3] == "why Worse than all 2 other turns in the same state (1 of them its own)."
    assert turns["2"][3] == "why Better than 1 of 2 other turns in the same state (1 of them its own)."
    assert turns["3"][3] == "why As good as the one sibling in the same state."
    turns = explained(run, "g1-001", GIGPO)
    assert turns["2"][2] == "same state no other turn"
    assert turns["2"][3] == (
        "why No other turn of the group was taken in this state; its trajectory was worse than 1 of 2 siblings."
    )


def test_what_an_algorithm_compares_is_read_off_the_turns_it_compares(run: Path) -> None:
    by_turn = explained(run, "g1-000", Part("turn_return"))
    assert "same turn 1: this turn | 0: 001#1, 002#1 | mean 0.333, spread 0.577 over 3 turns" in by_turn["1"]
    assert "why Better than all 2 siblings at the same turn." in by_turn["1"]
    whole = explained(run, "g1-000", DR_GRPO)
    assert whole["2"][1:] == [
        "advantage +0.667 reward 1 return-to-go 1",
        "why Its trajectory was better than all 2 siblings.",
    ]
    unknown = explained(run, "g1-000", Part("reinforce"))
    assert unknown["1"][-1] == (
        "why What reinforce compares is not known; its trajectory was better than all 2 siblings."
    )


def test_branches_that_share_a_decision_are_named(tmp_path: Path) -> None:
    shared = [entry("g-000", turn("a"), turn("b", 1.0)), entry("g-001", turn("a", origin="g-000/0"), turn("a"))]
    write_trajectories(tmp_path / "trajectories.jsonl", shared)
    hard = Part("grpo", {"credit": "agentrl.learning.credit.branch:arpo", "attribution": "hard"})
    turns = explained(tmp_path, "g-000", hard)
    assert "same decision 1: this turn | 0: 001#1 | mean 0.5, spread 0.707 over 2 turns" in turns["1"]
    assert turns["1"][-1] == (
        "why Better than the one sibling with the same decision; its trajectory was better than the one sibling."
    )
    assert turns["2"][-1] == "why No sibling shares this decision; its trajectory was better than the one sibling."


def test_the_other_algorithms_credit_stands_beside_it(run: Path) -> None:
    assert "dr_grpo +0.667" in explained(run, "g1-000", GIGPO, DR_GRPO)["1"]


def test_who_has_no_sibling_or_was_given_its_action_is_told_so(tmp_path: Path) -> None:
    given = entry("g-000", turn("a", sampled=False, origin="g-001/4"), turn("b", 1.0))
    write_trajectories(
        tmp_path / "trajectories.jsonl", [given, entry("g-001", turn("a")), entry("h-000", turn("a", 1.0))]
    )
    turns = explained(tmp_path, "g-000", GIGPO)
    assert turns["1"][0].endswith("copied from g-001/4")
    assert turns["1"][1].startswith("advantage 0 reward 0")
    assert turns["1"][-1] == "why The action was given, not sampled: nothing is learnt from it."
    alone = explained(tmp_path, "h-000", GIGPO)
    assert alone["1"][-1].endswith("its group holds no other trajectory.")


def test_an_excluded_trajectory_is_explained_as_excluded(run: Path) -> None:
    text = shown(run, GIGPO, trajectory_id="g1-003")
    assert "infra_error" in text
    assert "It was excluded: nothing is compared with it" in text


def test_several_that_match_are_counted_and_explained_up_to_the_limit(run: Path) -> None:
    assert "4 more match; --limit explains more of them." not in shown(run, GIGPO, trajectory_id="g1")
    text = shown(run, GIGPO, trajectory_id="g1", limit=2)
    assert "2 more match; --limit explains more of them." in text
    assert "g1-001 ---" in text.replace("\u2500", "-")


def test_a_step_without_a_scored_trajectory_is_said(tmp_path: Path) -> None:
    lost = [entry("g9-000", step=9, outcome=Outcome.CANCELLED), entry("g9-001", turn("a"), step=9)]
    lost[1] = StoredTrajectory(trajectory=_unscored(lost[1].trajectory), step=9, group="g9")
    write_trajectories(tmp_path / "trajectories.jsonl", [*STORED, *lost])
    assert "step 9: each of its trajectories was excluded." in shown(tmp_path, GIGPO, is_own=True)


def test_what_a_model_wrote_can_neither_style_nor_steer_the_terminal(tmp_path: Path) -> None:
    evil = turn("a", message=Message("assistant", "[bold]\x1b[31mred\x1b[0m\r" + "x" * 500 + "tail"))
    trouble = [entry("g\x1b[2J[red]-000", evil), entry("g\x1b[2J[red]-001", turn("a", 1.0))]
    write_trajectories(tmp_path / "trajectories.jsonl", trouble)
    listed = shown(tmp_path, GIGPO)
    told = shown(tmp_path, GIGPO, trajectory_id="g", width=400)
    for text in (listed, told):
        assert "g\\x1b[2J[red]-000" in text
        assert not {"\x1b", "\r"} & set(text)
    assert "[bold]\\x1b[31mred\\x1b[0m xxx" in told
    assert "x ... x" in told
    assert "tail" in told


def test_what_the_curriculum_knew_is_stored_and_used(tmp_path: Path) -> None:
    pasts = [("a-000", 1.0, 0.75), ("b-000", 0.0, 0.25)]  # returns beside what each task's past promised: 1/4 and -1/4
    write_trajectories(
        tmp_path / "trajectories.jsonl", [entry(name, turn("x", r), prior={"value": value}) for name, r, value in pasts]
    )
    got = rows(shown(tmp_path, Part("grpo", {"credit": "agentrl.learning.credit.history:spo"})))
    assert [cells[-2] for cells in got.values()] == [f"{0.5**0.5:+.3f}", f"{-(0.5**0.5):+.3f}"]


def test_an_own_algorithm_that_needs_a_model_gives_way_to_what_was_stored(tmp_path: Path) -> None:
    credited = [
        StoredTrajectory(
            trajectory=one.trajectory, step=1, group=one.group, advantages=(0.25,) * len(one.trajectory.turns)
        )
        for one in STORED
    ]
    write_trajectories(tmp_path / "trajectories.jsonl", credited)
    arguments = {"credit": "agentrl.learning.credit.information:igpo", "annotators": ["information_gain"]}
    text = shown(tmp_path, Part("grpo", arguments), is_own=True, width=2000)
    assert "(annotators: information_gain); they are not stored. What follows is what the run itself assigned." in text
    assert "step 1   stored" in text
    assert rows(text)["g1-000"][-2:] == ["+0.250", "++"]
    with pytest.raises(
        ConfigError, match=r"annotators: information_gain.* What the run itself assigned is stored: --algorithm stored"
    ):
        shown(tmp_path, Part("grpo", arguments))


def test_a_run_that_assigned_other_credit_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    credited = [
        StoredTrajectory(
            trajectory=one.trajectory, step=1, group=one.group, advantages=(0.5,) * len(one.trajectory.turns)
        )
        for one in STORED[:3]
    ]
    write_trajectories(tmp_path / "trajectories.jsonl", credited)
    text = shown(tmp_path, DR_GRPO, is_own=True)
    assert "The run itself assigned other credit, at step 1 by up to 0.833 a turn; --compare stored shows it" in text
    assert "The run itself" not in shown(tmp_path, DR_GRPO)


def test_the_credit_of_a_real_run_is_what_the_run_assigned(trained: Path) -> None:
    own = Part("gigpo", {"discount": 0.9})
    text = shown(trained, own, Part("stored"), is_own=True)
    assert "The run itself assigned" not in text
    assert "signs differ on 0.000 of them" in text.splitlines()[-2]
    stored = list(read_trajectories(trained / "trajectories.jsonl"))
    assert rows(text).keys() == {one.trajectory.id for one in stored}
    assert {one.step for one in stored} == {1, 2}
    assert any(advantage for one in stored for advantage in one.advantages)


def test_every_trajectory_of_a_real_run_is_explained(trained: Path) -> None:
    stored = list(read_trajectories(trained / "trajectories.jsonl"))
    for one in stored:
        turns = explained(trained, one.trajectory.id, Part("gigpo", {"discount": 0.9}))
        assert len(turns) == 1 + len(one.trajectory.turns)
        for number, advantage in enumerate(one.advantages, start=1):
            assert turns[str(number)][1].split()[1] == ("0" if abs(advantage) < 1e-8 else f"{advantage:+.3f}")
            assert " = episode " in turns[str(number)][1]


def test_the_command_line_knows_the_runs_own_algorithm(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in (trained, trained / "trajectories.jsonl"):
        assert command(["credit", str(run), "--step", "2"], monkeypatch) == 0
        assert "step 2   gigpo(discount=0.9)" in capsys.readouterr().out
    arguments = ["credit", str(trained), "--set", "discount=1.0", "--compare", "dr_grpo", "--limit", "1"]
    assert command(arguments, monkeypatch) == 0
    assert "step 1   gigpo(discount=1.0) against dr_grpo" in capsys.readouterr().out
    name = next(read_trajectories(trained / "trajectories.jsonl")).trajectory.id
    assert command(["credit", str(trained), "--algorithm", "grpo", "--explain", name], monkeypatch) == 0
    assert "grpo," in capsys.readouterr().out


def test_a_file_without_a_run_shows_what_was_stored(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["credit", str(run)], monkeypatch) == 2
    assert "stored without advantages: name an algorithm to assign them" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["RUN", "--algorithm", "gigop"], "There is no algorithm 'gigop'. Did you mean 'gigpo'"),
        (["RUN", "--algorithm", "grpo", "--compare", "gro"], "There is no algorithm 'gro'. Did you mean 'grpo'"),
        (["RUN", "--algorithm", "grpo", "--set", "discuont=1.0"], "takes no argument 'discuont'"),
        (
            ["RUN", "--algorithm", "grpo", "--explain", "g7"],
            "No trajectory's or task's id begins with 'g7'; there are g1-000",
        ),
        (
            ["RUN", "--algorithm", "grpo", "--step", "5"],
            "No trajectory of step 5 is stored; there are some of steps 1, 2",
        ),
        (["NONE", "--algorithm", "grpo"], "is no run directory"),
        (["EMPTY", "--algorithm", "grpo"], "holds no trajectory"),
    ],
)
def test_wrong_input_gives_one_clear_message_and_exit_code_2(
    run: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    problem: str,
) -> None:
    empty = tmp_path_factory.mktemp("empty") / "trajectories.jsonl"
    empty.touch()
    places = {"RUN": run, "NONE": run / "none", "EMPTY": empty}
    code = command(["credit", *(str(places.get(argument, argument)) for argument in arguments)], monkeypatch)
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.startswith("Error:")
    assert problem in " ".join(said.err.split())


def _unscored(trajectory: Trajectory) -> Trajectory:
    return Trajectory(
        id=trajectory.id,
        task=trajectory.task,
        prompt=(),
        turns=trajectory.turns,
        outcome=Outcome.FINISHED,
        rewards={"j": None},
    )
