"""The same run that a file describes, from Python: warm start, a few steps of GRPO, an evaluation.

Run it: python examples/02_train_from_python.py [directory]      (about a minute; the quick start trains in earnest)
"""

import sys
import tempfile
from pathlib import Path

from rich.console import Console

import agentrl as ar
from agentrl.train import train

RUN = ar.RunConfig.parse(
    {
        "environment": {"name": "household", "args": {"difficulty": "quick"}},
        "model": {"path": "tiny", "args": {"size": "0.1m"}, "threads": 1},
        "warm_start": {"steps": 30, "script": "novice", "trajectories_per_step": 8},
        "rollout": {"groups_per_step": 4, "group_size": 4, "max_turn_tokens": 24, "max_sequence_tokens": 1024},
        "algorithm": {"name": "grpo", "args": {"clip_high": 0.28}},
        "optimizer": {"name": "muon", "steps": 5, "learning_rate": 5e-4},
        "evaluation": {"num_tasks": 30},
        "checkpoint": {"trajectories_every": 5},
    }
)


def main(directory: Path) -> None:
    """Train, then say where to look."""
    console = Console()
    run = train(RUN, directory, console=console)
    console.print(f"agentrl view {run} --list", highlight=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "run")
