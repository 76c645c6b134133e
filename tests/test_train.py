import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from agentrl.config import RunConfig
from agentrl.errors import ConfigError
from agentrl.evaluate import Evaluation
from agentrl.train import train
from agentrl.trajectory import read_trajectories

SETTINGS = {
    "seed": 3,
    "environment": {"name": "household", "args": {"difficulty": "quick"}},
    "model": {"path": "tiny", "args": {"size": "0.1m"}, "threads": 1},
    "warm_start": {"steps": 4, "script": "novice", "trajectories_per_step": 4},
    "rollout": {"groups_per_step": 2, "group_size": 3, "max_turns": 5, "max_turn_tokens": 24, "concurrency": 4},
    "algorithm": {"name": "gigpo"},
    "optimizer": {"steps": 6, "name": "muon", "learning_rate": 5e-4},
    "evaluation": {"num_tasks": 5, "every": 4},
    "checkpoint": {"every": 2, "trajectories_every": 3},
}


def settings(**parts):
    return {**SETTINGS, **{part: {**SETTINGS.get(part, {}), **leaves} for part, leaves in parts.items()}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run, uninterrupted."""
    return train(RunConfig.parse(SETTINGS), tmp_path_factory.mktemp("runs") / "whole")


def rows(run: Path, phase: str):
    return [row for row in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()) if row["phase"] == phase]


def same_weights(one: Path, other: Path) -> bool:
    first, second = (load_file(run / "policy" / "model.safetensors") for run in (one, other))
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_leaves_everything_it_takes_to_look_at_it_and_to_repeat_it(finished):
    assert RunConfig.load(finished / "config.json") == RunConfig.parse(SETTINGS)
    assert "torch==" in (finished / "environment.txt").read_text()
    assert [row["step"] for row in rows(finished, "warm_start")] == [1, 2, 3, 4]
    assert [row["step"] for row in rows(finished, "train")] == [1, 2, 3, 4, 5, 6]
    assert [row["step"] for row in rows(finished, "evaluation")] == [0, 4, 6]
    assert (finished / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    evaluation = Evaluation.from_json((finished / "evaluation.json").read_text())
    assert (evaluation.num_tasks, evaluation.split, evaluation.num_scored) == (5, "test", 5)
    assert [path.name for path in sorted((finished / "checkpoints").iterdir())] == ["step-00000002", "step-00000004"]


def test_stored_trajectories_carry_the_advantage_of_every_turn(finished):
    stored = list(read_trajectories(finished / "trajectories.jsonl"))
    assert {entry.step for entry in stored} == {3, 6}
    assert len(stored) == 2 * 2 * 3
    for entry in stored:
        assert len(entry.advantages) == len(entry.trajectory.turns)
    assert all(turn.version == entry.step - 1 for entry in stored for turn in entry.trajectory.turns)


def test_metrics_are_finite_and_the_policy_was_changed(finished):
    for row in rows(finished, "train"):
        assert all(value == value for value in row.values())
        assert row["learn/skipped_total"] == 0
    before = load_file(finished / "warm_start" / "model.safetensors")
    after = load_file(finished / "policy" / "model.safetensors")
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_the_same_run_again_gives_identical_weights(finished, tmp_path):
    again = train(RunConfig.parse(SETTINGS), tmp_path / "again")
    assert same_weights(finished, again)


@pytest.mark.parametrize("kill_at", [0, 3, 5])
def test_a_run_that_is_killed_and_resumed_ends_with_identical_weights(finished, tmp_path, kill_at):
    run = tmp_path / "killed"
    (tmp_path / "run.json").write_text(json.dumps(SETTINGS))
    command = [sys.executable, "-m", "agentrl", "train", str(tmp_path / "run.json"), "--dir", str(run)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    phase = "train" if kill_at else "warm_start"
    while not (run / "metrics.jsonl").is_file() or len(rows_or_none(run, phase)) < max(1, kill_at):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    resumed = train(RunConfig.load(run / "config.json"), run, resume=True)
    assert same_weights(finished, resumed)
    assert [row["step"] for row in rows(resumed, "train")] == [1, 2, 3, 4, 5, 6]
    assert [row["step"] for row in rows(resumed, "warm_start")] == [1, 2, 3, 4]
    assert len(list(read_trajectories(resumed / "trajectories.jsonl"))) == 12


def rows_or_none(run: Path, phase: str):
    """The rows so far; the last line may be half written."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [line for line in lines if line.startswith(f'{{"phase": "{phase}"') and line.endswith("}")]


def test_a_directory_that_holds_something_is_not_written_into(finished):
    with pytest.raises(ConfigError, match="is not empty"):
        train(RunConfig.parse(SETTINGS), finished)


def test_a_differently_described_run_is_not_resumed(finished):
    with pytest.raises(ConfigError, match="described otherwise in: seed"):
        train(RunConfig.parse({**SETTINGS, "seed": 4}), finished, resume=True)


def test_a_checkpoint_of_another_run_is_refused(finished, tmp_path):
    run = RunConfig.parse(settings(optimizer={"steps": 2}, warm_start={"steps": 0}, evaluation={"num_tasks": 0}))
    other = train(run, tmp_path / "other")
    (other / "checkpoints").mkdir()
    os.rename(finished / "checkpoints" / "step-00000004", other / "checkpoints" / "step-00000004")
    try:
        with pytest.raises(ConfigError, match="is a checkpoint of the run"):
            train(run, other, resume=True)
    finally:
        os.rename(other / "checkpoints" / "step-00000004", finished / "checkpoints" / "step-00000004")


def test_collecting_while_training_stays_within_the_maximal_lag(tmp_path):
    run = RunConfig.parse(settings(rollout={"max_policy_lag": 1, "concurrency": 16}, evaluation={"every": 0}))
    directory = train(run, tmp_path / "overlapped")
    lags = [row["act/policy_lag_mean"] for row in rows(directory, "train")]
    assert max(lags) <= 1
    assert len(lags) == 6


def test_several_updates_a_step_use_every_trajectory_once(tmp_path):
    run = RunConfig.parse(
        settings(optimizer={"steps": 2, "updates_per_step": 3}, evaluation={"every": 0, "num_tasks": 0})
    )
    directory = train(run, tmp_path / "updates")
    assert [row["learn/learning_rate_factor"] for row in rows(directory, "train")] == [1.0, 1.0]
    assert not (directory / "evaluation.json").exists()


@pytest.mark.parametrize("name", ["reinforce", "rloo", "grpo", "dr_grpo", "dapo", "turn_return"])
def test_each_algorithm_trains_by_name(name, tmp_path):
    run = RunConfig.parse(
        settings(algorithm={"name": name}, optimizer={"steps": 2}, evaluation={"every": 0, "num_tasks": 0})
    )
    directory = train(run, tmp_path / name)
    assert all(abs(row["learn/loss"]) < 100 for row in rows(directory, "train") if "learn/loss" in row)


def test_a_kl_term_holds_on_to_the_policy_before_reinforcement_learning(tmp_path):
    run = RunConfig.parse(
        settings(
            algorithm={"name": "gigpo", "args": {"kl_coefficient": 0.1}},
            optimizer={"steps": 3},
            evaluation={"every": 0, "num_tasks": 0},
        )
    )
    directory = train(run, tmp_path / "kl")
    divergence = [row["learn/reference_kl"] for row in rows(directory, "train")]
    assert abs(divergence[0]) < 1e-6 < divergence[-1]


def test_a_finished_run_is_evaluated_and_viewed_by_its_directory(finished):
    def agentrl(*arguments):
        command = [sys.executable, "-m", "agentrl", *arguments]
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=120, env={**os.environ, "COLUMNS": "140"}
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert "success rate" in agentrl("eval", "--agent", str(finished), "-n", "3")
    assert "success rate" in agentrl(
        "eval", "household", "-a", "difficulty=quick", "--agent", f"{finished}/policy", "-n", "3"
    )
    listing = agentrl("view", str(finished), "--list")
    assert "g0000004-000" in listing
    transcript = agentrl("view", str(finished), "--id", "g0000004-000")
    assert "Goal: put" in transcript
    assert "advantage" in transcript
