"""Patience: how long a filter may go on leaving out what it is given."""

import logging

from agentrl.errors import ConfigError

logger = logging.getLogger(__name__)


class Patience:
    """Counts what was left out in a row; once that is too much, everything is kept until something is wanted again.

    So a filter can slow a run down, but never hang it: not even where every task is solved, or none ever will be.

    Args:
        limit: How many groups may be left out in a row.
        stops: Whether the run ends at the limit, instead of going on with the groups as they are.
        lack: What the groups lack, in words for the message.
    """

    def __init__(self, limit: int, *, stops: bool, lack: str) -> None:
        if limit < 1:
            raise ConfigError(f"max_left_out must be at least 1; got {limit}.")
        self._limit = limit
        self._stops = stops
        self._lack = lack
        self.num_left_out = 0  # in a row

    def keeps(self, wanted: bool) -> bool:
        """Whether the next group is kept.

        Raises:
            ConfigError: Too many were left out in a row, and that stops the run.
        """
        if wanted:
            self.num_left_out = 0
            return True
        if self.num_left_out >= self._limit:
            return True
        self.num_left_out += 1
        if self.num_left_out == self._limit:
            found = f"{self._limit} groups in a row {self._lack}"
            advice = "Tasks of another difficulty, larger groups, or a curriculum that looks for tasks may help"
            if self._stops:
                raise ConfigError(f"{found}: there is nothing to train on. {advice}.")
            logger.warning("%s: from now on they are kept, until one is better. %s.", found, advice)
        return False
