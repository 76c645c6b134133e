"""Which slot of the cache belongs to whom, and what it holds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agentrl.acting.engine.slots import SlotCache

_FIRST_SLOTS = 16
_FIRST_PLACES = 256


@dataclass(slots=True, eq=False)
class Slot:
    """One sequence in the cache."""

    index: int
    ids: list[int] = field(default_factory=list[int])  # the tokens whose keys and values are in the cache
    session: str = ""  # empty: nobody comes back for what it holds
    busy: bool = False
    used: int = 0  # when it was last given back


class SlotTable:
    """Gives out slots, within a bound on memory; whoever loses one has lost nothing but time.

    Args:
        cache: Where the slots are.
        max_slots: Most slots.
        max_places: Most tokens in a slot.
        memory_bytes: Bound of the cache; must hold at least one slot of `max_places`.
    """

    def __init__(self, cache: SlotCache, *, max_slots: int, max_places: int, memory_bytes: int) -> None:
        self.cache = cache
        self._max_slots = max_slots
        self._max_places = max_places
        self._memory_bytes = memory_bytes
        self._slots: list[Slot] = []
        self._num_places = min(_FIRST_PLACES, max_places)
        self._time = 0

    def acquire(self, session: str, ids: Sequence[int]) -> Slot | None:
        """A slot for the session, holding a beginning of `ids` but never all of it; None while all are busy.

        It is the session's own, else one that holds nothing, else a new one, else the one unused for longest. A session
        that has a busy slot gets another one, which nothing is kept in.
        """
        own = [slot for slot in self._slots if session and slot.session == session]
        slot = next((slot for slot in own if not slot.busy), None) or self._free_slot()
        if slot is None:
            return None
        del slot.ids[_common_prefix(slot.ids, ids[:-1]) :]
        slot.session = "" if any(other is not slot for other in own) else session
        slot.busy = True
        return slot

    def give_back(self, slot: Slot) -> None:
        """End the use of a slot; what it holds is kept where it has a session."""
        self._time += 1
        slot.busy = False
        slot.used = self._time
        if not slot.session:
            slot.ids.clear()

    def forget(self, session: str) -> None:
        """Keep nothing for the session any more."""
        for slot in self._slots:
            if session and slot.session == session:
                slot.session = ""
                if not slot.busy:
                    slot.ids.clear()

    def forget_contents(self) -> None:
        """Have everything recomputed."""
        for slot in self._slots:
            slot.ids.clear()

    def clear(self) -> None:
        """Have everything recomputed, and nothing left that could be no number."""
        self.forget_contents()
        self.cache.clear()

    def reserve(self, num_places: int) -> list[Slot]:
        """Make every slot hold that many tokens; the busy slots that had to go to stay within the bound."""
        if num_places <= self._num_places:
            return []
        self._num_places = min(max(2 * self._num_places, num_places), self._max_places)
        room = min(len(self._slots), self._affordable())
        by_worth = sorted(self._slots, key=lambda slot: (not slot.busy, -len(slot.ids) if slot.busy else -slot.used))
        self._resize(room, sorted(by_worth[:room], key=lambda slot: slot.index))
        return [slot for slot in by_worth[room:] if slot.busy]

    @property
    def num_busy(self) -> int:
        """How many slots are in use."""
        return sum(slot.busy for slot in self._slots)

    @property
    def num_kept(self) -> int:
        """How many idle slots hold something for a session."""
        return sum(not slot.busy and bool(slot.session) for slot in self._slots)

    def _free_slot(self) -> Slot | None:
        idle = [slot for slot in self._slots if not slot.busy]
        empty = next((slot for slot in idle if not slot.session), None)
        return empty or self._new_slot() or min(idle, key=lambda slot: slot.used, default=None)

    def _new_slot(self) -> Slot | None:
        num_old = len(self._slots)
        num_new = min(max(2 * num_old, _FIRST_SLOTS), self._max_slots, self._affordable())
        if num_new <= num_old:
            return None
        self._resize(num_new, self._slots)
        return self._slots[num_old]

    def _affordable(self) -> int:
        return self._memory_bytes // (self.cache.bytes_per_place * self._num_places)

    def _resize(self, num_slots: int, kept: list[Slot]) -> None:
        self.cache.resize(num_slots, self._num_places, [slot.index for slot in kept])
        for index, slot in enumerate(kept):
            slot.index = index
        self._slots = kept + [Slot(index) for index in range(len(kept), num_slots)]


def _common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the longest common beginning."""
    length = min(len(first), len(second))
    if first[:length] == second[:length]:
        return length
    return next(index for index in range(length) if first[index] != second[index])
