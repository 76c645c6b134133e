"""A run's directory: everything it takes to repeat the run, to go on with it, and to look at it."""

import json
import platform
import uuid
from collections.abc import Iterable, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from agentrl.config import RunConfig
from agentrl.errors import ConfigError
from agentrl.learning.checkpoint import NO_PARTS, Checkpoints, Resumable
from agentrl.learning.trainer import Trainer
from agentrl.metrics import MetricsLog
from agentrl.trajectory import StoredTrajectory, read_trajectories, write_trajectories

CONFIG, ENVIRONMENT, RUN_ID, TRAJECTORIES, METRICS = (
    "config.json",
    "environment.txt",
    "run_id.txt",
    "trajectories.jsonl",
    "metrics.jsonl",
)


class RunDirectory:
    """The records of one run.

    Args:
        path: Made if it is not there.
        run: What the run is described by.
        resume: Go on with what is there.

    Raises:
        ConfigError: There is a run already, or none to resume, or a differently described one.
    """

    def __init__(self, path: Path, run: RunConfig, *, resume: bool = False) -> None:
        self.path = path
        self.log = MetricsLog(path / METRICS)
        if resume:
            self._check_same_run(run)
        else:
            self._begin(run)
        run_id = (path / RUN_ID).read_text().strip()
        self.checkpoints = Checkpoints(path / "checkpoints", run_id, keep=run.checkpoint.keep)
        for name in (METRICS, TRAJECTORIES):
            _cut_torn_line(path / name)
            if self.checkpoints.latest() is None:
                (path / name).unlink(missing_ok=True)

    def restore(self, trainer: Trainer, parts: Mapping[str, Resumable] = NO_PARTS) -> dict[str, Any] | None:
        """The state of the last checkpoint, with what was recorded after it forgotten; None where there is none."""
        latest = self.checkpoints.latest()
        if latest is None:
            return None
        state = self.checkpoints.restore(latest, trainer, parts)
        self.log.forget_after(state["step"])
        stored = self.path / TRAJECTORIES
        if stored.is_file():
            kept = [entry for entry in read_trajectories(stored) if entry.step <= state["step"]]
            stored.unlink()
            write_trajectories(stored, kept)
        return state

    def store(self, trajectories: Iterable[StoredTrajectory]) -> None:
        """Keep these trajectories."""
        write_trajectories(self.path / TRAJECTORIES, trajectories)

    def write(self, name: str, text: str) -> Path:
        """Write a file into the directory."""
        path = self.path / name
        path.write_text(text)
        return path

    def _begin(self, run: RunConfig) -> None:
        if self.path.exists() and any(self.path.iterdir()):
            raise ConfigError(
                f"{self.path} is not empty. Choose another --dir, or go on with the run that is there: "
                f"agentrl resume {self.path}"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self.write(CONFIG, json.dumps(run.model_dump(mode="json"), indent=2) + "\n")
        self.write(ENVIRONMENT, _describe_environment())
        self.write(RUN_ID, uuid.uuid4().hex + "\n")

    def _check_same_run(self, run: RunConfig) -> None:
        if not (self.path / RUN_ID).is_file():
            raise ConfigError(f"{self.path} holds no run to resume.")
        stored = RunConfig.load(self.path / CONFIG)
        different = [name for name in RunConfig.model_fields if getattr(stored, name) != getattr(run, name)]
        if different:
            raise ConfigError(f"The run in {self.path} was described otherwise in: {', '.join(different)}.")


def _cut_torn_line(path: Path) -> None:
    """Remove a last line that a killed process did not write to its end."""
    if path.is_file():
        content = path.read_bytes()
        path.write_bytes(content[: content.rfind(b"\n") + 1])


def _describe_environment() -> str:
    """Python, machine and the versions of all installed packages."""
    packages: Mapping[str, str] = {d.metadata["Name"]: d.version for d in distributions() if d.metadata["Name"]}
    lines = [f"python {platform.python_version()}", platform.platform(), ""]
    lines += [f"{name}=={packages[name]}" for name in sorted(packages, key=str.lower)]
    return "\n".join(lines) + "\n"
