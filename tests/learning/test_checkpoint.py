import json
import random
from pathlib import Path

import numpy
import pytest
import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.batch import Batch
from agentrl.learning.checkpoint import Checkpoints
from agentrl.learning.optimizer import adamw, muon, schedule
from agentrl.learning.policy import Policy
from agentrl.learning.tiny import create_tiny
from agentrl.learning.trainer import Trainer

VOCABULARY = 259


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_tiny(tmp_path_factory.mktemp("model"), [], ["text"], size="0.1m", vocabulary=VOCABULARY)


def make_trainer(path: Path, optimizer: str = "muon") -> Trainer:
    policy = Policy.load(path)
    if optimizer == "muon":
        made = muon(policy.parameters(), learning_rate=0.02, adamw_learning_rate=3e-3)
    else:
        made = adamw(policy.parameters(), learning_rate=3e-3, weight_decay=0.1)
    return Trainer(policy, made, schedule=schedule("cosine", warmup=2, total=10))


def random_batch() -> Batch:
    """A demonstration drawn from all of the process's random generators, as a run draws its own."""
    length = random.randint(10, 30) + int(numpy.random.randint(0, 5))
    zero_1 = torch.zeros(1, dtype=torch.int64)
    return Batch(
        token_T=torch.randint(0, VOCABULARY, (length,)),
        action_T=torch.arange(length) > 3,
        sampled_logprob_T=torch.zeros(length),
        turn_T=torch.zeros(length, dtype=torch.int64),
        position_T=torch.arange(length),
        reward_U=torch.zeros(1, dtype=torch.float64),
        trajectory_U=zero_1,
        sequence_U=zero_1,
        version_U=zero_1,
        valid_U=torch.ones(1, dtype=torch.bool),
        group_B=zero_1,
        terminated_B=torch.ones(1, dtype=torch.bool),
    )


def seed_everything(seed: int) -> None:
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


def train(trainer: Trainer, num_steps: int) -> list[float]:
    return [trainer.sft_step(random_batch())["learn/loss"] for _ in range(num_steps)]


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in trainer.policy.weights().items()}


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_run_that_is_stopped_and_resumed_ends_bit_for_bit_where_it_would_have(
    model_path: Path, tmp_path: Path, optimizer: str
) -> None:
    seed_everything(0)
    straight = make_trainer(model_path, optimizer)
    losses = train(straight, 7)

    seed_everything(0)
    stopped = make_trainer(model_path, optimizer)
    train(stopped, 3)
    Checkpoints(tmp_path, "run").save(stopped, {"cursor": 3})

    seed_everything(99)
    resumed = make_trainer(model_path, optimizer)
    checkpoints = Checkpoints(tmp_path, "run")
    latest = checkpoints.latest()
    assert latest is not None
    assert checkpoints.restore(latest, resumed) == {"cursor": 3}
    assert train(resumed, 4) == losses[3:]
    assert resumed.version == 7
    for name, value in weights(straight).items():
        assert torch.equal(value, weights(resumed)[name]), name


def test_saving_does_not_disturb_the_run(model_path: Path, tmp_path: Path) -> None:
    ends = []
    for save in (False, True):
        seed_everything(0)
        trainer = make_trainer(model_path)
        train(trainer, 2)
        if save:
            Checkpoints(tmp_path, "run").save(trainer, {})
        train(trainer, 2)
        ends.append(weights(trainer))
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_only_the_newest_checkpoints_are_kept(model_path: Path, tmp_path: Path) -> None:
    trainer, checkpoints = make_trainer(model_path), Checkpoints(tmp_path, "run", keep=2)
    assert checkpoints.latest() is None
    for _ in range(4):
        train(trainer, 1)
        checkpoints.save(trainer, {})
    assert [path.name for path in checkpoints.all()] == ["step-00000003", "step-00000004"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000003", "step-00000004"]


def test_the_same_step_can_be_saved_again(model_path: Path, tmp_path: Path) -> None:
    trainer, checkpoints = make_trainer(model_path), Checkpoints(tmp_path, "run")
    checkpoints.save(trainer, {"try": 1})
    path = checkpoints.save(trainer, {"try": 2})
    assert checkpoints.restore(path, trainer) == {"try": 2}


def test_what_a_crash_left_half_written_is_ignored_and_written_anew(model_path: Path, tmp_path: Path) -> None:
    trainer, checkpoints = make_trainer(model_path), Checkpoints(tmp_path, "run")
    whole = checkpoints.save(trainer, {})
    train(trainer, 1)
    half = tmp_path / "step-00000001.partial"
    half.mkdir()
    (half / "trainer.pt").write_bytes(b"half")
    assert checkpoints.latest() == whole
    assert checkpoints.save(trainer, {}).name == "step-00000001"
    assert not half.exists()


def test_a_checkpoint_of_another_run_is_refused(model_path: Path, tmp_path: Path) -> None:
    trainer = make_trainer(model_path)
    path = Checkpoints(tmp_path, "first").save(trainer, {})
    before = weights(trainer)
    train(trainer, 1)
    with pytest.raises(ConfigError, match=r"'first'.*'second'"):
        Checkpoints(tmp_path, "second").restore(path, trainer)
    assert any(not torch.equal(before[name], value) for name, value in weights(trainer).items())


def test_a_checkpoint_of_another_model_or_optimizer_is_refused(model_path: Path, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", "run")
    path = checkpoints.save(make_trainer(model_path), {})
    other = create_tiny(tmp_path / "other", [], ["text"], size="0.5m", vocabulary=VOCABULARY)
    with pytest.raises(ConfigError, match="does not fit"):
        checkpoints.restore(path, make_trainer(other))
    with pytest.raises(ConfigError, match="does not fit"):
        checkpoints.restore(path, make_trainer(model_path, "adamw"))


class Counter:
    """A part of a run that counts."""

    def __init__(self) -> None:
        self.count = 0

    def save(self, directory: Path) -> None:
        (directory / "count.txt").write_text(str(self.count))

    def load(self, directory: Path) -> None:
        self.count = int((directory / "count.txt").read_text())


def test_other_parts_of_a_run_go_on_too(model_path: Path, tmp_path: Path) -> None:
    trainer, checkpoints, parts = make_trainer(model_path), Checkpoints(tmp_path, "run"), [Counter(), Counter()]
    for number, part in enumerate(parts):
        part.count = 3 + number
    path = checkpoints.save(trainer, {}, {"0-first": parts[0], "1-second": parts[1]})
    again = [Counter(), Counter()]
    checkpoints.restore(path, trainer, {"0-first": again[0], "1-second": again[1]})
    assert [part.count for part in again] == [3, 4]
    with pytest.raises(ConfigError, match="does not fit this run"):
        checkpoints.restore(path, trainer, {"2-third": Counter()})


def test_a_directory_that_is_no_checkpoint_is_refused(model_path: Path, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "run")
    with pytest.raises(ConfigError, match="no checkpoint"):
        checkpoints.restore(tmp_path, make_trainer(model_path))
    (tmp_path / "run.json").write_text('{"run_id": ')
    with pytest.raises(ConfigError, match="no checkpoint"):
        checkpoints.restore(tmp_path, make_trainer(model_path))


def test_the_policy_in_a_checkpoint_is_an_ordinary_model_directory(model_path: Path, tmp_path: Path) -> None:
    trainer = make_trainer(model_path)
    train(trainer, 1)
    path = Checkpoints(tmp_path, "run").save(trainer, {})
    loaded = Policy.load(path / "policy")
    assert all(torch.equal(value, loaded.weights()[name]) for name, value in weights(trainer).items())
    assert json.loads((path / "run.json").read_text())["run_id"] == "run"


def test_at_least_one_checkpoint_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keep = 0"):
        Checkpoints(tmp_path, "run", keep=0)
