"""Independent: every trajectory of a group starts at the beginning and knows nothing of its siblings."""

from agentrl.acting.explore import Explorer, OpenGroup, Play, Siblings
from agentrl.trajectory import Group


class Independent(Explorer):
    """Plays all trajectories of the group beside each other."""

    async def explore(self, group: OpenGroup, play: Play) -> list[Group]:
        """The group."""
        return [group.close(await Siblings(group, play).begin(group.size))]
