"""Tree: trajectories that split at fixed depths, so that siblings share their beginnings."""

import math
from collections.abc import Sequence

from agentrl.acting.explore import Explorer, OpenGroup, Play, Siblings
from agentrl.acting.rollout import Prefix
from agentrl.errors import ConfigError
from agentrl.trajectory import Group


class Tree(Explorer):
    """Splits every trajectory that is longer than a depth there, depth after depth, until the group is full.

    As many start from the beginning as it takes to fill the group if all of them last. Places that are left over,
    since some did not, are filled by forks at random turns of random trajectories; from the beginning, where all
    trajectories have but one turn.

    Args:
        depths: After how many turns, increasing.
        factor: How many trajectories go on from each of these places.

    Source: TreePO, arXiv 2508.17445; multimodal-art-projection/TreePO, recipe/treepo/vllm_rollout_tree.py.
    Differs: A segment is a turn, not so many tokens; the number of branches does not depend on log-probabilities; and
        nothing is stopped for repeating itself, which here is for the limits of the rollout to do.
    Checked: From the paper's text alone; the official code's depths are of tokens.
    """

    def __init__(self, *, depths: Sequence[int] = (1, 2), factor: int = 2) -> None:
        if not depths or depths[0] < 1 or list(depths) != sorted(set(depths)) or factor < 2:
            raise ConfigError(
                f"depths must be increasing numbers of turns, and factor at least 2; got {depths}, {factor}."
            )
        self._depths = tuple(depths)
        self._factor = factor

    async def explore(self, group: OpenGroup, play: Play) -> list[Group]:
        """The group."""
        rng, siblings = group.random(), Siblings(group, play, keep_states=True)
        trajectories = await siblings.begin(math.ceil(group.size / self._factor ** len(self._depths)))
        for depth in self._depths:
            room = group.size - len(trajectories)
            stems = [Prefix.of(one, depth) for one in trajectories if len(one.turns) > depth] * (self._factor - 1)
            trajectories += await siblings.fork(stems[:room])
        room = group.size - len(trajectories)
        places = [(one, number) for one in trajectories for number in range(1, len(one.turns))]
        if places:
            trajectories += await siblings.fork([Prefix.of(*place) for place in rng.choices(places, k=room)])
        else:
            trajectories += await siblings.begin(room)
        return [group.close(trajectories)]
