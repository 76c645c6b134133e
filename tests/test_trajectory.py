import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.messages import ImagePart, Message, TextPart, ToolCall
from agentrl.trajectory import (
    SCHEMA_VERSION,
    CallStatus,
    Group,
    Outcome,
    StoredTrajectory,
    Task,
    ToolResult,
    Trajectory,
    Turn,
    read_trajectories,
    write_trajectories,
)

CALL = ToolCall("look", {"at": ["shelf", 1], "deep": {"none": None, "pi": 3.25}}, "call_0")
BROKEN_CALL = ToolCall("", "{broken", "call_1")
IMAGE = ImagePart(bytes(range(256)), "image/jpeg")


def turn(
    context: tuple[int, ...] = (), action: tuple[int, ...] = (), *, opens: bool = False, reward: float = 0.0
) -> Turn:
    return Turn(
        message=Message("assistant", "hm"), context_ids=context, action_ids=action, opens_sequence=opens, reward=reward
    )


FULL_TURN = Turn(
    message=Message("assistant", "I look.", (CALL, BROKEN_CALL)),
    observation=(
        Message("tool", (TextPart("a cat"), IMAGE), tool_call_id="call_0", name="look"),
        Message("tool", "Nothing was called.", tool_call_id="call_1"),
    ),
    reward=-0.1,
    rewards={"talk": -0.1},
    state_key="kitchen",
    valid=False,
    results=(
        ToolResult(
            call=CALL, status=CallStatus.OK, content=(TextPart("a cat"), IMAGE), seconds=0.25, queue_seconds=0.5
        ),
        ToolResult(
            call=BROKEN_CALL, status=CallStatus.INVALID_ARGUMENTS, content="Nothing was called.", num_attempts=0
        ),
    ),
    context_ids=(1, 2, 3),
    action_ids=(4, 5),
    logprobs=(-0.1, -2.5e-7),
    entropies=(0.5, 1.25),
    opens_sequence=True,
    version=3,
    engine_seconds=1.5,
    environment_seconds=0.125,
)


def trajectory(*turns: Turn, outcome: Outcome = Outcome.FINISHED, **fields: object) -> Trajectory:
    return Trajectory(
        id="t-0",
        task=Task("t", 7, {"prompt": "What?", "more": [1, {"a": None}]}),
        prompt=(Message("system", "Be brief."), Message("user", (TextPart("What is it?"), IMAGE))),
        turns=turns,
        outcome=outcome,
        **fields,  # pyright: ignore[reportArgumentType]
    )


def stored(value: Trajectory) -> StoredTrajectory:
    return StoredTrajectory(trajectory=value, step=12, group="g-3", advantages=(0.5, -0.5))


def read_one(path: Path) -> StoredTrajectory:
    (entry,) = read_trajectories(path)
    return entry


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_failures_of_the_machinery_and_cancellations_are_not_scored(outcome: Outcome) -> None:
    expected = outcome not in (Outcome.INFRA_ERROR, Outcome.CANCELLED)
    assert outcome.scored is expected
    assert trajectory(turn(), outcome=outcome).scored is expected


def test_a_trajectory_without_turns_or_with_an_undecided_reward_is_not_scored() -> None:
    assert not trajectory().scored
    assert not trajectory(turn(), rewards={"a": 1.0, "b": None}).scored
    assert trajectory(turn(), rewards={"a": 0.0}).scored


def test_the_total_reward_is_the_sum_of_the_turns() -> None:
    assert trajectory(turn(reward=0.5), turn(reward=-0.25), turn(reward=1.0)).total_reward == 1.25
    assert trajectory().total_reward == 0.0


def test_sequences_are_what_the_engine_saw() -> None:
    turns = (
        turn((1, 2), (3,), opens=True),
        turn((4,), (5, 6)),
        turn((7, 8), (9,), opens=True),
        turn((), (10,)),
    )
    value = trajectory(*turns)
    assert list(value.sequences()) == [(1, 2, 3, 4, 5, 6), (7, 8, 9, 10)]
    assert value.num_action_tokens == 5
    assert list(trajectory(turn()).sequences()) == []


@given(st.lists(st.tuples(st.lists(st.integers(0, 99)), st.lists(st.integers(0, 99)), st.booleans()), max_size=6))
def test_sequences_lose_and_invent_no_token(parts: list[tuple[list[int], list[int], bool]]) -> None:
    turns = [turn(tuple(context), tuple(action), opens=opens) for context, action, opens in parts]
    flat = [token for context, action, _ in parts for token in context + action]
    assert [token for sequence in trajectory(*turns).sequences() for token in sequence] == flat


def test_a_result_is_answered_by_a_tool_message() -> None:
    message = FULL_TURN.results[0].message()
    assert message == Message("tool", (TextPart("a cat"), IMAGE), tool_call_id="call_0", name="look")
    unnamed = ToolResult(call=ToolCall("look", {}), status=CallStatus.OK, content="x").message()
    assert unnamed.tool_call_id is None


def test_a_group_keeps_the_excluded_beside_the_scored() -> None:
    scored, failed = trajectory(turn()), trajectory(outcome=Outcome.INFRA_ERROR)
    group = Group(id="g", task=scored.task, trajectories=(scored,), excluded=(failed,))
    assert group.trajectories == (scored,)


def test_trajectories_survive_the_round_trip_through_a_file_images_and_all(tmp_path: Path) -> None:
    path = tmp_path / "trajectories.jsonl"
    full = trajectory(FULL_TURN, turn(), rewards={"exact": 1.0, "judge": None}, success=True, error="none", seconds=2.5)
    first, second = stored(full), stored(trajectory(outcome=Outcome.CANCELLED))
    write_trajectories(path, [first])
    write_trajectories(path, [second])
    read = list(read_trajectories(path))
    assert read == [first, second]
    assert read[0].trajectory.turns[0].observation[0].images == (IMAGE,)
    assert len(path.read_bytes().splitlines()) == 2
    assert all(json.loads(line)["schema_version"] == SCHEMA_VERSION for line in path.read_text().splitlines())


texts = st.text(max_size=20)
contents = texts | st.lists(st.builds(TextPart, texts) | st.builds(ImagePart, st.binary(max_size=20)), max_size=3).map(
    tuple
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
calls = st.builds(ToolCall, texts, st.dictionaries(texts, json_values, max_size=3) | texts, texts)
messages = st.builds(
    Message, st.sampled_from(["user", "assistant", "tool"]), contents, st.lists(calls, max_size=2).map(tuple)
)


@given(st.lists(messages, max_size=3), st.lists(st.floats(), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_is_said_and_whatever_number_comes_out_survives(
    tmp_path: Path, said: list[Message], numbers: list[float]
) -> None:
    path = tmp_path / "trajectories.jsonl"
    path.unlink(missing_ok=True)
    turns = [Turn(message=message, observation=tuple(said), logprobs=tuple(numbers)) for message in said]
    entry = stored(trajectory(*turns))
    write_trajectories(path, [entry])
    assert repr(read_one(path)) == repr(entry)  # a NaN does not equal itself, but reads the same


def test_text_that_utf8_cannot_carry_is_written_with_a_mark_and_loses_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "trajectories.jsonl"
    broken = replace(FULL_TURN, observation=(Message("user", ("half \ud800 pair")), Message("user", (IMAGE,))))
    write_trajectories(path, [stored(trajectory(broken)), stored(trajectory(FULL_TURN))])
    first, second = read_trajectories(path)
    mended = replace(FULL_TURN, observation=(Message("user", "half \ufffd pair"), Message("user", (IMAGE,))))
    assert first == stored(trajectory(mended))
    assert second == stored(trajectory(FULL_TURN))


def test_empty_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "trajectories.jsonl"
    write_trajectories(path, [stored(trajectory())])
    path.write_bytes(b"\n" + path.read_bytes() + b"  \n")
    assert read_one(path) == stored(trajectory())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no trajectories file at .*none.jsonl"):
        list(read_trajectories(tmp_path / "none.jsonl"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"trajectory": {', r":2: not a JSON line \(.*\)\. Remove the line, or restore the file\."),
        (b"\xff\xfe", r":2: not a JSON line"),
        (b"3", r":2: schema version None; this release reads 1"),
        (b'{"schema_version": 99}', r":2: schema version 99; this release reads 1"),
        (b'{"schema_version": 1, "step": 0, "group": "g"}', r":2: not a trajectory: trajectory: Field required"),
        (b"[" * 100_000, r":2: not a JSON line"),
        (b'{"a": "\\ud800"}', r":2: not a JSON line"),
    ],
)
def test_a_broken_line_is_named_and_those_before_it_are_read(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "trajectories.jsonl"
    write_trajectories(path, [stored(trajectory(FULL_TURN))])
    with path.open("ab") as file:
        file.write(line + b"\n")
    entries = read_trajectories(path)
    assert next(entries) == stored(trajectory(FULL_TURN))
    with pytest.raises(ConfigError, match=message):
        next(entries)


def test_a_wrong_field_deep_inside_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trajectories.jsonl"
    write_trajectories(path, [stored(trajectory(FULL_TURN))])
    entry = json.loads(path.read_text())
    entry["trajectory"]["turns"][0]["version"] = "three"
    path.write_text(json.dumps(entry))
    with pytest.raises(ConfigError, match=r":1: not a trajectory: trajectory\.turns\.0\.version: "):
        read_one(path)
    entry["trajectory"]["turns"][0]["version"] = 3
    entry["trajectory"]["turns"][0]["colour"] = "red"
    path.write_text(json.dumps(entry))
    with pytest.raises(ConfigError, match=r":1: not a trajectory: trajectory\.turns\.0\.colour: "):
        read_one(path)
