"""Seats: how many trajectories may be under way, and who is let in next."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count


class Seats:
    """So many trajectories at a time; of those that wait, the one that is first in order is let in first."""

    def __init__(self, limit: int) -> None:
        self.num_taken = 0
        self._limit = limit
        self._waiting: list[tuple[tuple[int, ...], int, asyncio.Future[None]]] = []
        self._arrivals = count()

    @asynccontextmanager
    async def take(self, *order: int) -> AsyncGenerator[None, None]:
        """Hold a seat; wait for one first, among equals in the order of arrival."""
        admitted = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (order, next(self._arrivals), admitted))
        self._admit()
        try:
            await admitted
            yield
        finally:
            self.num_taken -= admitted.done() and not admitted.cancelled()
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self.num_taken < self._limit:
            *_, admitted = heappop(self._waiting)
            if not admitted.done():  # cancelled while it waited
                admitted.set_result(None)
                self.num_taken += 1
