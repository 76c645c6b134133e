import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from agentrl.config import RunConfig
from agentrl.errors import ConfigError
from agentrl.train import train
from agentrl.trajectory import read_trajectories

SETTINGS = {
    "seed": 3,
    "environment": {"name": "household", "args": {"difficulty": "quick"}},
    "model": {"path": "tiny", "args": {"size": "0.1m"}, "threads": 1},
    "warm_start": {"steps": 1, "script": "novice", "trajectories_per_step": 4},
    "rollout": {"groups_per_step": 2, "group_size": 4, "max_turns": 4, "max_turn_tokens": 24, "concurrency": 4},
    "optimizer": {"steps": 3},
    "evaluation": {"num_tasks": 0},
    "checkpoint": {"every": 2, "trajectories_every": 1},
}


def described(explorer, curriculum="uniform", **parts):
    algorithm = {"name": "turn_return", "args": {"explorer": explorer, "curriculum": curriculum}}
    return RunConfig.parse({**SETTINGS, "algorithm": algorithm, **parts})


@pytest.mark.parametrize(
    ("explorer", "curriculum"),
    [
        ({"name": "branch", "initial": 2, "weight": 1.0}, "thompson"),
        ({"name": "replay", "size": 1, "ramp": 0}, {"name": "dynamic", "max_left_out": 2}),
    ],
)
def test_a_run_goes_on_from_its_checkpoint_as_if_it_had_never_stopped(tmp_path, explorer, curriculum):
    run = described(explorer, curriculum)
    whole = train(run, tmp_path / "whole")
    stopped = tmp_path / "stopped"
    shutil.copytree(whole, stopped)
    shutil.rmtree(stopped / "policy")
    state = json.loads((stopped / "checkpoints" / "step-00000002" / "run.json").read_text())["state"]
    assert state["step"] == 2
    assert set(state["collector"]) == {"num_groups_started", "curriculum", "explorer"}
    if explorer["name"] == "replay":
        assert len(state["collector"]["explorer"]["means"]) == 4
    resumed = train(run, stopped, resume=True)
    first, second = (load_file(path / "policy" / "model.safetensors") for path in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    ids = [[(entry.step, entry.trajectory.id) for entry in stored(path)] for path in (whole, resumed)]
    assert ids[0] == ids[1]


def stored(path):
    return list(read_trajectories(path / "trajectories.jsonl"))


def test_branches_are_stored_with_their_origins_and_share_what_is_before_them(tmp_path):
    run = described({"name": "branch", "initial": 1}, optimizer={"steps": 1})
    entries = stored(train(run, tmp_path / "run"))
    forks = [entry.trajectory for entry in entries if entry.trajectory.turns[0].origin]
    by_id = {entry.trajectory.id: entry.trajectory for entry in entries}
    assert len(entries) == 8
    assert forks
    for fork in forks:
        where, _, number = fork.turns[0].origin.rpartition("/")
        assert by_id[where].turns[int(number)].action_ids == fork.turns[0].action_ids


@pytest.mark.parametrize(
    ("explorer", "curriculum", "problem"),
    [
        ("brnch", "uniform", "no explorer 'brnch'. Did you mean 'branch'"),
        ({"name": "tree", "depth": [1]}, "uniform", "takes no argument 'depth'. Did you mean 'depths'"),
        ({"name": "patch", "script": "expret"}, "uniform", "household has no script 'expret'"),
        ("independent", "unifrom", "no curriculum 'unifrom'"),
    ],
)
def test_a_wrong_name_is_told_before_anything_is_written(tmp_path, explorer, curriculum, problem):
    with pytest.raises(ConfigError, match=problem.replace("?", r"\?")):
        train(described(explorer, curriculum), tmp_path / "run")
    assert not (tmp_path / "run").exists()
