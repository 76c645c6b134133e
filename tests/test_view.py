import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agentrl.errors import ConfigError
from agentrl.messages import ImagePart, Message, TextPart, ToolCall
from agentrl.trajectory import (
    CallStatus,
    Outcome,
    StoredTrajectory,
    Task,
    ToolResult,
    Trajectory,
    Turn,
    write_trajectories,
)
from agentrl.view.transcript import list_trajectories, print_transcript, select, view_run, visible

CALL = ToolCall("goto", {"place": "shelf [1]"}, "a")


def make(
    number: int, reward: float = 0.0, *, step: int = 1, outcome: Outcome = Outcome.FINISHED, **more: Any
) -> StoredTrajectory:
    trajectory = Trajectory(
        id=f"g{number:04d}-000",
        task=Task(f"task-{number}"),
        prompt=(Message("user", f"Do {number}."),),
        turns=(Turn(message=Message("assistant", "Done."), reward=reward),),
        outcome=outcome,
        success=reward >= 1,
        **more,
    )
    return StoredTrajectory(trajectory=trajectory, step=step, group=f"g{number:04d}")


def rich_one() -> StoredTrajectory:
    """A trajectory with everything in it that a transcript can show."""
    answer = ToolResult(
        call=CALL, status=CallStatus.OK, content="On the shelf: a cup.", seconds=0.25, num_truncated_characters=7
    )
    failed = ToolResult(
        call=ToolCall("take", "{oops", "b"), status=CallStatus.INVALID_ARGUMENTS, content="Not JSON.", num_attempts=2
    )
    first = Turn(
        message=Message("assistant", "I [bold]look[/bold] around.", (CALL, failed.call)),
        observation=(answer.message(), failed.message(), Message("user", "Time passes.")),
        results=(answer, failed),
        reward=0.25,
        rewards={"progress": 0.25},
        action_ids=(1, 2, 3),
        logprobs=(-1.0, -1.0, -1.0),
        context_ids=(7, 8),
        opens_sequence=True,
        version=3,
        engine_seconds=1.5,
        environment_seconds=0.5,
    )
    second = Turn(
        message=Message("assistant", "\x1b[31mred\x1b[0m\r\u202e"),
        observation=(Message("user", (TextPart("A picture:"), ImagePart(b"1234"))),),
        reward=-1.0,
        valid=False,
        action_ids=(4,),
        logprobs=(-1.0,),
        context_ids=(9,),
        opens_sequence=True,
        version=4,
    )
    trajectory = Trajectory(
        id="g0007-001",
        task=Task("cup-on-shelf"),
        prompt=(Message("system", "You are a robot."), Message("user", "Fetch the cup.")),
        turns=(first, second),
        outcome=Outcome.TURN_LIMIT,
        rewards={"judge": None},
        error="the judge [was] away",
        seconds=2.25,
    )
    return StoredTrajectory(trajectory=trajectory, step=12, group="g0007", advantages=(0.5, -0.125))


def printed(stored: StoredTrajectory) -> str:
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    print_transcript(stored, console)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip(" ") for line in console.file.getvalue().split("\n"))


def shown(run: Path, **choices: Any) -> str:
    console = Console(file=io.StringIO(), width=200)
    view_run(run, console=console, **choices)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def ids(stored: Sequence[StoredTrajectory]) -> list[str]:
    return [entry.trajectory.id for entry in stored]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    stored = [make(1, 0.5), make(2, 1.0), make(3, -1.0, step=2), make(4, outcome=Outcome.INFRA_ERROR, step=2)]
    write_trajectories(tmp_path / "trajectories.jsonl", stored)
    return tmp_path


def test_a_transcript_shows_where_the_trajectory_belongs_and_how_it_went() -> None:
    text = printed(rich_one())
    for part in (
        "g0007-001",
        "turn_limit   return -0.75 (judge unscored)",
        "task cup-on-shelf   step 12   group g0007   version 3 to 4",
        "2 turns   4 tokens   2.25 s",
        "You are a robot.",
        "Fetch the cup.",
        "the judge [was] away",
    ):
        assert part in text


def test_a_transcript_shows_each_turn_with_its_reward_advantage_tokens_and_time() -> None:
    text = printed(rich_one())
    assert "turn 1   reward 0.25 (progress 0.25)   advantage +0.500   3 tokens   1.50 + 0.50 s" in text
    assert "turn 2   invalid   reward -1   advantage -0.125   1 tokens   0.00 + 0.00 s   context rewritten" in text


def test_a_transcript_shows_each_call_with_its_answer_once() -> None:
    text = printed(rich_one())
    assert "goto(place='shelf [1]')" in text
    assert "take '{oops'" in text
    assert "ok   0.25 s   7 characters were left out" in text
    assert "invalid_arguments   0.00 s   2 attempts" in text
    assert text.count("On the shelf: a cup.") == 1
    assert text.count("Not JSON.") == 1
    assert text.count("goto(") == 1
    assert "Time passes." in text
    assert "A picture:\n  [image/png, 4 bytes]" in text


def test_calls_that_were_not_run_are_shown_too() -> None:
    stored = make(1)
    turn = Turn(message=Message("assistant", "", (ToolCall("", "{", "x"),)), observation=(Message("user", "What?"),))
    text = printed(StoredTrajectory(trajectory=_with_turn(stored.trajectory, turn), step=0, group="g"))
    assert "? '{'" in text
    assert "What?" in text


def test_an_empty_message_is_said_to_be_empty() -> None:
    turn = Turn(message=Message("assistant", ""))
    assert "(empty)" in printed(StoredTrajectory(trajectory=_with_turn(make(1).trajectory, turn), step=0, group="g"))


def test_what_a_model_wrote_can_neither_style_nor_steer_the_terminal() -> None:
    text = printed(rich_one())
    assert "I [bold]look[/bold] around." in text
    assert "\\x1b[31mred\\x1b[0m\\x0d\\u202e" in text
    assert not {"\x1b", "\r", "\u202e"} & set(text)


def test_visible_leaves_ordinary_text_alone() -> None:
    assert visible("a\tb\nc \u00e9 \u4e2d \U0001f600") == "a\tb\nc \u00e9 \u4e2d \U0001f600"
    assert visible("\x00\x7f\x85\u200b\U000e0041") == "\\x00\\x7f\\x85\\u200b\\U000e0041"


def test_a_long_text_is_cut_and_the_cut_is_said() -> None:
    turn = Turn(message=Message("assistant", "x" * 5000))
    text = printed(StoredTrajectory(trajectory=_with_turn(make(1).trajectory, turn), step=0, group="g"))
    assert text.count("x") == 4000
    assert "[1000 more characters]" in text


def test_the_list_has_one_line_a_trajectory() -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(list_trajectories([rich_one(), make(2, 1.0)]))
    assert isinstance(console.file, io.StringIO)
    lines = [line.split() for line in console.file.getvalue().splitlines() if "-00" in line]
    assert lines[0] == ["12", "g0007-001", "cup-on-shelf", "turn_limit", "-0.75", "+0.19", "2", "2", "4", "2.2"]
    assert lines[1] == ["1", "g0002-000", "task-2", "finished,", "success", "1", "1", "0", "0", "0.0"]


@pytest.mark.parametrize(
    ("choose", "expected"),
    [
        ("first", ["g0001-000", "g0002-000", "g0003-000", "g0004-000"]),
        ("last", ["g0004-000", "g0003-000", "g0002-000", "g0001-000"]),
        ("best", ["g0002-000", "g0001-000", "g0003-000"]),
        ("worst", ["g0003-000", "g0001-000", "g0002-000"]),
        ("failed", ["g0001-000", "g0003-000", "g0004-000"]),
    ],
)
def test_trajectories_are_chosen_by_how_they_went(choose: str, expected: list[str]) -> None:
    stored = [make(1, 0.5), make(2, 1.0), make(3, -1.0), make(4, outcome=Outcome.INFRA_ERROR)]
    assert ids(select(stored, choose=choose)) == expected


def test_a_random_choice_is_an_order_of_all() -> None:
    stored = [make(number) for number in range(20)]
    assert sorted(ids(select(stored, choose="random"))) == ids(stored)


def test_trajectories_are_found_by_the_beginning_of_an_id_and_by_step(run: Path) -> None:
    assert "g0003-000" in shown(run, trajectory_id="g0003")
    assert "g0002-000" in shown(run, trajectory_id="task-2")
    assert "g0003-000" in shown(run, step=2)


def test_the_limit_is_kept_and_what_it_left_out_is_counted(run: Path) -> None:
    text = shown(run, limit=3)
    assert "g0003-000" in text
    assert "g0004-000" not in text
    assert "1 more match" in text
    assert "more match" not in shown(run, limit=4)


def test_a_list_has_all_that_match(run: Path) -> None:
    text = shown(run, listing=True, step=2)
    assert "g0003-000" in text
    assert "g0004-000" in text
    assert "g0001-000" not in text


@pytest.mark.parametrize(
    ("choices", "problem"),
    [
        ({"step": 9}, "No trajectory of step 9 is stored; there are some of steps 1, 2."),
        ({"trajectory_id": "nope"}, "begins with 'nope'; there are g0001-000"),
        ({"choose": "finest"}, "There is no choice 'finest'; there are first, last, best"),
        ({"choose": "best", "trajectory_id": "g0004"}, "None of the 1 trajectories that match is of the kind 'best'"),
    ],
)
def test_asking_for_what_is_not_there_says_what_there_is(run: Path, choices: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        shown(run, **choices)


def test_a_directory_without_trajectories_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no .*trajectories\.jsonl"):
        shown(tmp_path)


def test_a_broken_line_is_named(run: Path) -> None:
    with (run / "trajectories.jsonl").open("a") as file:
        file.write("{broken\n")
    with pytest.raises(ConfigError, match=r"trajectories\.jsonl:5: not a JSON line"):
        shown(run)


def _with_turn(trajectory: Trajectory, turn: Turn) -> Trajectory:
    return Trajectory(
        id=trajectory.id, task=trajectory.task, prompt=trajectory.prompt, turns=(turn,), outcome=trajectory.outcome
    )
