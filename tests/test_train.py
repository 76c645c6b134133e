import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from agentrl.acting.environment import Environment, Step
from agentrl.acting.suite import Suite
from agentrl.config import RunConfig
from agentrl.errors import ConfigError
from agentrl.evaluate import Evaluation
from agentrl.messages import Message
from agentrl.train import train
from agentrl.trajectory import Task, read_trajectories

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


PARITY = {  # a few steps of a policy that knows nothing, in a game that is won half of the time
    "seed": 3,
    "environment": {"name": f"{__name__}:parity", "eval_split": "train"},
    "model": {"path": "tiny", "args": {"size": "0.1m", "vocabulary": 259}, "threads": 1},
    "rollout": {"groups_per_step": 2, "group_size": 3, "max_turn_tokens": 6, "concurrency": 6, "temperature": 0.7},
    "optimizer": {"steps": 3, "learning_rate": 1e-2},
    "evaluation": {"num_tasks": 0},
    "checkpoint": {"every": 2},
}


class Parity(Environment):
    """Two turns; what is said in the second one must have an even number of characters."""

    async def reset(self, task: Task) -> str:
        self.num_turns = 0
        return "Say something."

    async def step(self, message: Message) -> Step:
        self.num_turns += 1
        done = self.num_turns == 2
        return Step("And now?", reward=float(done and len(message.text) % 2 == 0), terminated=done)


def parity() -> Suite:
    return Suite(
        name="parity",
        splits={"train": [Task(f"parity-{n}") for n in range(50)]},
        make=Parity,
        scripts={"expert": lambda environment, rng: lambda messages: Message("assistant", "ab")},
        max_turns=2,
        parser="plain",
        answers=lambda task: ["ab", "abcd"],
    )


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


def run_parity(directory: Path, *, resume: bool = False, **parts) -> Path:
    return train(RunConfig.parse({**PARITY, **parts}), directory, resume=resume)


@pytest.fixture(scope="module")
def parity_run(tmp_path_factory):
    """A run without any annotator."""
    return run_parity(tmp_path_factory.mktemp("runs") / "plain", algorithm={"name": "grpo"})


@pytest.mark.parametrize(
    ("annotators", "arguments", "measured"),
    [
        (["old_logprobs", "entropy"], {"credit": "empg", "correction": "tis"}, "learn/gradient_norm"),
        ([{"name": "information_gain", "prefix": "So: "}], {"credit": "igpo"}, "learn/information_gain_size"),
        ([{"name": "privileged", "model": "current"}], {"kl_coefficient": 0.1, "kl": "k2"}, "learn/reference_kl"),
    ],
    ids=["entropy and old log-probabilities", "information gain", "privileged"],
)
def test_a_run_learns_from_what_annotators_fill_in(parity_run, tmp_path, annotators, arguments, measured):
    algorithm = {"name": "grpo", "args": {"annotators": annotators, **arguments}}
    run = run_parity(tmp_path / "annotated", algorithm=algorithm)
    assert any(row.get(measured, 0) != 0 for row in rows(run, "train"))
    assert not same_weights(parity_run, run)


def test_a_teacher_is_followed_without_any_reward(parity_run, tmp_path):
    distillation = {
        "credit": "agentrl.learning.credit.unrewarded:unrewarded",
        "annotators": [{"name": "teacher", "path": str(parity_run / "policy")}],
        "kl": "k2",
        "kl_coefficient": 1.0,
    }
    optimizer = {"steps": 6, "learning_rate": 3e-3}
    student = run_parity(
        tmp_path / "student", algorithm={"name": "reinforce", "args": distillation}, optimizer=optimizer
    )
    distances = [row["learn/reference_kl"] for row in rows(student, "train")]
    assert distances[-1] < 0.5 * distances[0]


def test_models_that_annotators_train_go_on_where_they_stopped(tmp_path):
    annotators = [
        {"name": "implicit_reward", "beta": 0.5, "learning_rate": 1e-2},
        {"name": "critic", "updates": 2, "learning_rate": 1e-2},
    ]
    algorithm = {"name": "grpo", "args": {"credit": "gae", "annotators": annotators}}
    straight = run_parity(tmp_path / "straight", algorithm=algorithm)
    assert any(row["learn/process_reward_gradient_norm"] > 0 for row in rows(straight, "train"))
    assert any(row["learn/value_gradient_norm"] > 0 for row in rows(straight, "train"))
    stopped = tmp_path / "stopped"
    shutil.copytree(straight, stopped)
    shutil.rmtree(stopped / "policy")
    resumed = run_parity(stopped, algorithm=algorithm, resume=True)
    assert same_weights(straight, resumed)
    for row, again in zip(rows(straight, "train"), rows(resumed, "train"), strict=True):
        learned = {name: value for name, value in row.items() if name.startswith("learn/") and "seconds" not in name}
        assert {name: again[name] for name in learned} == learned


def test_demonstrations_are_imitated_beside_reinforcement_and_a_resumed_run_sees_the_same(tmp_path):
    imitation = {"name": "chord", "trajectories": 3, "peak": 0.9, "floor": 0.5, "decay_steps": 3, "phi": False}
    algorithm = {"name": "grpo", "args": {"imitation": imitation}}
    optimizer = {"steps": 5, "learning_rate": 1e-2, "updates_per_step": 2}
    checkpoint = {"every": 2, "keep": 1}
    straight = run_parity(tmp_path / "straight", algorithm=algorithm, optimizer=optimizer, checkpoint=checkpoint)
    losses = [row["learn/imitation_action_loss"] for row in rows(straight, "train")]
    assert losses[-1] < 0.5 * losses[0]
    stopped = tmp_path / "stopped"
    shutil.copytree(straight, stopped)
    resumed = run_parity(stopped, algorithm=algorithm, optimizer=optimizer, checkpoint=checkpoint, resume=True)
    assert same_weights(straight, resumed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"annotators": ["refrence"]}, "There is no annotator 'refrence'"),
        ({"imitation": {"name": "chord", "script": "master"}}, "has no script 'master'; it has expert"),
    ],
)
def test_a_part_that_is_not_there_is_told_before_anything_is_written(tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=message):
        run_parity(tmp_path / "run", algorithm={"name": "grpo", "args": arguments})
    assert not (tmp_path / "run").exists()
