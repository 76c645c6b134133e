"""Checkpoints: everything a run needs to go on as if it had never stopped, written whole or not at all."""

import json
import os
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy
import torch

from agentrl.errors import ConfigError
from agentrl.learning.trainer import Trainer

_PARTIAL = ".partial"
_PREFIX = "step-"
_PARTS = "parts"


class Resumable(Protocol):
    """A part of a run, beside its trainer, that goes on where it stopped."""

    def save(self, directory: Path) -> None:
        """Write what it takes to go on into an empty directory."""
        ...

    def load(self, directory: Path) -> None:
        """Go on from what `save` wrote."""
        ...


NO_PARTS: Mapping[str, Resumable] = MappingProxyType({})


def save_trainer(trainer: Trainer, directory: Path) -> None:
    """Write a policy and what else it takes to go on training it."""
    trainer.policy.save(directory / "policy")
    torch.save(trainer.state_dict(), directory / "trainer.pt")


def load_trainer(trainer: Trainer, directory: Path) -> None:
    """Go on from what `save_trainer` wrote."""
    trainer.policy.load_weights(directory / "policy")
    trainer.load_state_dict(torch.load(directory / "trainer.pt", map_location="cpu", weights_only=True))


class Checkpoints:
    """The checkpoints of one run, in one directory.

    Args:
        directory: Made when the first is saved.
        run_id: Names the run; a checkpoint of another one is refused.
        keep: How many of the newest are kept.
    """

    def __init__(self, directory: str | Path, run_id: str, *, keep: int = 2) -> None:
        if keep < 1:
            raise ConfigError(f"At least one checkpoint must be kept; got keep = {keep}.")
        self._directory = Path(directory)
        self._run_id = run_id
        self._keep = keep

    def save(self, trainer: Trainer, state: Mapping[str, Any], parts: Mapping[str, Resumable] = NO_PARTS) -> Path:
        """The directory of a new checkpoint: of trainer, random generators, the run's own JSON `state`, other parts.

        It appears under its name only when every byte is on the disk; what a crash leaves behind is ignored.
        """
        final = self._directory / f"{_PREFIX}{trainer.version:08d}"
        partial = final.with_name(final.name + _PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_trainer(trainer, partial)
        torch.save(_tensor_generators(), partial / "generators.pt")
        for name, part in parts.items():
            (partial / _PARTS / name).mkdir(parents=True)
            part.save(partial / _PARTS / name)
        run = {"run_id": self._run_id, "state": dict(state), "generators": _plain_generators()}
        (partial / "run.json").write_text(json.dumps(run), encoding="utf-8")
        _flush(partial)
        if final.exists():  # a run that was resumed from an older checkpoint comes by again
            shutil.rmtree(final)
        partial.rename(final)
        _flush_directory(self._directory)
        for old in self.all()[: -self._keep]:
            shutil.rmtree(old)
        return final

    def all(self) -> list[Path]:
        """The directories of the whole checkpoints, oldest first."""
        found = self._directory.glob(f"{_PREFIX}*")
        return sorted(path for path in found if path.is_dir() and path.suffix != _PARTIAL)

    def latest(self) -> Path | None:
        """The newest checkpoint; None where there is none."""
        return next(reversed(self.all()), None)

    def restore(self, path: Path, trainer: Trainer, parts: Mapping[str, Resumable] = NO_PARTS) -> dict[str, Any]:
        """The run's own state; trainer, policy, random generators and the other parts go on from where they were.

        Raises:
            ConfigError: It is no checkpoint, or one of another run, or of another model or optimizer.
        """
        run = _read_run(path)
        if run["run_id"] != self._run_id:
            raise ConfigError(
                f"{path} is a checkpoint of the run {run['run_id']!r}, not of {self._run_id!r}. Resume a run in its "
                "own directory, or start a new one in an empty directory."
            )
        try:
            load_trainer(trainer, path)
            for name, part in parts.items():
                part.load(path / _PARTS / name)
            generators = torch.load(path / "generators.pt", map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise ConfigError(f"The checkpoint {path} does not fit this run: {error}") from error
        _set_generators(generators, run["generators"])
        return run["state"]


def _read_run(path: Path) -> dict[str, Any]:
    try:
        return json.loads((path / "run.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path} is no checkpoint: {error}") from error


def _tensor_generators() -> dict[str, Any]:
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def _plain_generators() -> dict[str, Any]:
    kind, keys, *rest = numpy.random.get_state(legacy=True)
    return {"python": random.getstate(), "numpy": [kind, [int(key) for key in keys], *rest]}


def _set_generators(tensors: Mapping[str, Any], plain: Mapping[str, Any]) -> None:
    torch.set_rng_state(tensors["cpu"])
    if tensors["cuda"] and torch.cuda.device_count() == len(tensors["cuda"]):
        torch.cuda.set_rng_state_all(tensors["cuda"])
    version, internal, gauss = plain["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, *rest = plain["numpy"]
    numpy.random.set_state((kind, keys, *rest))


def _flush(directory: Path) -> None:
    """Wait until everything in the directory is on the disk."""
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            _flush_directory(path)
    _flush_directory(directory)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
