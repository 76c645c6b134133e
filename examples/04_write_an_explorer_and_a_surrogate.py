"""An explorer and a surrogate of one's own, in one file, in a short training run that names them.

In a run file of yours it is:

    [algorithm]
    name = "grpo"
    args = { explorer = "my_module:Halfway", surrogate = "my_module:hinge" }

Run it: python examples/04_write_an_explorer_and_a_surrogate.py [directory]
"""

import sys
import tempfile
from pathlib import Path

from torch import Tensor

from agentrl.acting.explore import Explorer, OpenGroup, Play, Siblings
from agentrl.acting.rollout import Prefix
from agentrl.config import RunConfig
from agentrl.learning.batch import Batch
from agentrl.learning.losses.ratio import advantage, log_ratio
from agentrl.train import train
from agentrl.trajectory import Group, read_trajectories


class Halfway(Explorer):
    """Half of the group starts from the beginning, the other half from the middle of the longest of these."""

    async def explore(self, group: OpenGroup, play: Play) -> list[Group]:
        """The group."""
        siblings = Siblings(group, play, keep_states=True)
        first = await siblings.begin(group.size // 2)
        longest = max(first, key=lambda one: len(one.turns))
        middle = Prefix.of(longest, max(1, len(longest.turns) // 2))
        rest = await siblings.fork([middle] * (group.size - len(first)))
        return [group.close([*first, *rest])]


def hinge(logprob_T: Tensor, batch: Batch, *, margin: float = 0.2) -> Tensor:
    """How far the log ratio still is from `margin`, on the side that the advantage wants; never less than 0.

    Shapes: logprob_T [T]; returns loss_T [T], unreduced; 0 off-action.
    """
    advantage_T = advantage(batch)
    missing_T = margin - advantage_T.sign() * log_ratio(logprob_T, batch)
    return advantage_T.abs() * missing_T.clamp(min=0)


RUN = {
    "environment": {"name": "household", "args": {"difficulty": "quick"}},
    "model": {"path": "tiny", "threads": 1},
    "warm_start": {"steps": 10},
    "rollout": {"groups_per_step": 4, "group_size": 4, "max_turns": 8, "max_turn_tokens": 24},
    "algorithm": {
        "name": "grpo",
        "args": {"explorer": f"{__name__}:Halfway", "surrogate": f"{__name__}:hinge", "margin": 0.1},
    },
    "optimizer": {"steps": 2, "learning_rate": 1e-4},
    "evaluation": {"num_tasks": 0},
    "checkpoint": {"trajectories_every": 1},
}


def main(directory: Path) -> None:
    """Train two steps, and say what was forked."""
    run = train(RunConfig.parse(RUN), directory)
    played = [entry.trajectory for entry in read_trajectories(run / "trajectories.jsonl")]
    forked = [one for one in played if one.turns[0].origin]
    print(f"{len(played)} trajectories, {len(forked)} of them forked, for example at {forked[0].turns[0].origin}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(tempfile.mkdtemp()) / "run")
