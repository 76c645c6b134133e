"""Key-value cache in slots, and the attention of a flat row of tokens over it, for any transformers model.

A slot holds the keys and values of one sequence. In each forward pass every slot that takes part adds some tokens,
and all of these lie end to end in one row `[1, T]`. Slots that add about as many attend together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import transformers
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from agentrl.errors import ConfigError

# pyright: reportUnknownMemberType=false

ATTENTION = "agentrl_slots"
_COPY = 3  # what it costs to copy a slot and read the copy, where reading it in place costs 1
_BLOCK = 2000  # what a block costs by itself, where reading a key and its value costs 1


class Added(NamedTuple):
    """The tokens that one slot adds in a forward pass."""

    slot: int
    start: int  # position of the first
    length: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Slots that attend together: R rows of N query places, over L key places."""

    slot_R: Tensor | slice  # a slice where the slots lie side by side, so that nothing is copied
    num_slots: int
    query_P: Tensor  # int64  flat token of each query place, row after row
    kept_K: Tensor  # int64  which query places are real
    position_RN: Tensor  # int64
    mask_RNL: Tensor  # bool   which keys a query sees
    num_queries: int
    num_keys: int


class SlotCache:
    """Keys and values of every layer, `[slots, heads, places, head]`; grows when asked to."""

    def __init__(
        self, num_layers: int, num_heads: int, head_size: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self._shape = (num_heads, head_size)
        self._dtype = dtype
        self._device = device
        self.num_slots = 0
        self.num_places = 0
        self.keys: list[Tensor] = [torch.empty(0)] * num_layers
        self.values: list[Tensor] = [torch.empty(0)] * num_layers

    @property
    def bytes_per_place(self) -> int:
        """What one token of one slot takes."""
        num_heads, head_size = self._shape
        return 2 * len(self.keys) * num_heads * head_size * self._dtype.itemsize

    def resize(self, num_slots: int, num_places: int, kept: Sequence[int]) -> None:
        """Make room; the slots in `kept` keep what they hold and become the slots 0, 1, 2, ..."""
        num_heads, head_size = self._shape
        source = torch.tensor(kept, dtype=torch.int64, device=self._device)
        common = min(num_places, self.num_places)
        for stored in (self.keys, self.values):
            for layer, old in enumerate(stored):
                # Zeros, not garbage: what is no number survives a weight of 0.
                new = torch.zeros(num_slots, num_heads, num_places, head_size, dtype=self._dtype, device=self._device)
                if kept:
                    new[: len(kept), :, :common] = old[source, :, :common]
                stored[layer] = new
        self.num_slots, self.num_places = num_slots, num_places

    @torch.inference_mode()
    def clear(self) -> None:
        """Set everything to 0."""
        for stored in (*self.keys, *self.values):
            stored.zero_()


class Step:
    """One forward pass over the cache: which places its tokens are written to, and who attends to what."""

    def __init__(self, cache: SlotCache, added: Sequence[Added], device: torch.device) -> None:
        self.cache = cache
        self.slot_T = torch.tensor([a.slot for a in added for _ in range(a.length)], device=device)
        self.position_T = torch.tensor([p for a in added for p in range(a.start, a.start + a.length)], device=device)
        self.rows = [_rows(block, added, self.position_T) for block in _blocks(added)]
        self.restore_T = _restore(self.rows, len(self.position_T))

    def write(self, layer: int, key: Tensor, value: Tensor) -> None:
        """Store the keys and values `[1, heads, T, head]` of the row's tokens."""
        self.cache.keys[layer][self.slot_T, :, self.position_T] = key[0].transpose(0, 1)
        self.cache.values[layer][self.slot_T, :, self.position_T] = value[0].transpose(0, 1)


def _blocks(added: Sequence[Added]) -> list[list[int]]:
    """Who attends together: single tokens by themselves, the others by the power of two below their count."""
    blocks: dict[int, list[int]] = {}
    for index in sorted(range(len(added)), key=lambda index: added[index].slot):
        blocks.setdefault((added[index].length - 1).bit_length(), []).append(index)
    singles = _by_length(blocks.pop(0, []), added)
    return [*singles, *(blocks[size] for size in sorted(blocks))]


def _by_length(block: list[int], added: Sequence[Added]) -> list[list[int]]:
    """The block, or its longest sequences and the rest: what is read is as long as the longest for all of a block.

    The longest are picked, so copied and then read; the others are read in place with whatever slots lie in between.
    """
    if not block:
        return []
    span = added[block[-1]].slot - added[block[0]].slot + 1
    lengths = sorted((added[index].start for index in block), reverse=True)
    costs = [span * length + number * _COPY * lengths[0] + _BLOCK for number, length in enumerate(lengths)]
    costs[0] -= _BLOCK
    num_long = costs.index(min(costs))
    if num_long == 0:
        return [block]
    long = [index for index in block if added[index].start > lengths[num_long]]
    return [long, [index for index in block if added[index].start <= lengths[num_long]]]


def _rows(block: list[int], added: Sequence[Added], position_T: Tensor) -> Rows:
    device = position_T.device
    offsets = [0]
    for entry in added:
        offsets.append(offsets[-1] + entry.length)
    num_queries = max(added[index].length for index in block)
    num_keys = max(added[index].start + added[index].length for index in block)
    members = {added[index].slot: index for index in block}
    seats = _seats(list(members), num_queries)
    place_N = torch.arange(num_queries, device=device)
    offset_R = torch.tensor([offsets[members[seat]] if seat in members else 0 for seat in seats], device=device)
    count_R = torch.tensor([added[members[seat]].length if seat in members else 0 for seat in seats], device=device)
    query_RN = offset_R[:, None] + torch.minimum(place_N, (count_R[:, None] - 1).clamp_min(0))
    position_RN = position_T[query_RN]
    mask_RNL = torch.arange(num_keys, device=device) <= position_RN[:, :, None]
    kept_K = (place_N < count_R[:, None]).flatten().nonzero().squeeze(1)
    slot_R = slice(seats.start, seats.stop) if isinstance(seats, range) else torch.tensor(seats, device=device)
    return Rows(slot_R, len(seats), query_RN.flatten(), kept_K, position_RN, mask_RNL, num_queries, num_keys)


def _seats(slots: list[int], num_queries: int) -> range | list[int]:
    """Which slots attend: those asked for, or all from the first to the last where that is cheaper than picking them.

    A range is read in place, while a pick is copied first, keys and values. For a single query the products with a slot
    cost less than the copy of it, so that some slots may be in it for nothing: they look at what they hold, unheard.
    """
    between = range(slots[0], slots[-1] + 1)
    affordable = _COPY * len(slots) if num_queries == 1 else len(slots)
    return between if len(between) <= affordable else slots


def _restore(rows: list[Rows], num_tokens: int) -> Tensor:
    """Where each flat token stands in the blocks' outputs laid end to end."""
    order_T = torch.cat([block.query_P[block.kept_K] for block in rows])
    restore_T = torch.empty_like(order_T)
    restore_T[order_T] = torch.arange(num_tokens, device=order_T.device)
    return restore_T


def slot_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # none is built for this attention
    *,
    slot_step: Step,
    scaling: float,
    sliding_window: int | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention of new tokens over their slots, `[1, T, heads, head]`; called by transformers in every layer."""
    for name in ("softcap", "s_aux"):
        if options.get(name) is not None:
            raise ConfigError(f"The model's attention needs `{name}`, which the local engine does not offer.")
    layer: int = module.layer_idx  # pyright: ignore[reportAssignmentType]
    slot_step.write(layer, key, value)
    keys, values = slot_step.cache.keys[layer], slot_step.cache.values[layer]
    query_THD = query[0].transpose(0, 1)
    outputs = [_attend(query_THD, keys, values, rows, scaling, sliding_window) for rows in slot_step.rows]
    return torch.cat(outputs).index_select(0, slot_step.restore_T).unsqueeze(0), None


def _attend(query_THD: Tensor, keys: Tensor, values: Tensor, rows: Rows, scaling: float, window: int | None) -> Tensor:
    """Outputs of the block's real query places, `[K, heads, head]`."""
    num_heads, head_size = query_THD.shape[1:]
    query = query_THD.index_select(0, rows.query_P).view(rows.num_slots, rows.num_queries, num_heads, head_size)
    key, value = (_read(stored[:, :, : rows.num_keys], rows.slot_R) for stored in (keys, values))
    mask = rows.mask_RNL
    if window is not None and rows.num_keys > window:
        mask = mask & (torch.arange(rows.num_keys, device=mask.device) > rows.position_RN[:, :, None] - window)
    if rows.num_queries == 1:
        return _attend_single(query[:, 0], key, value, mask[:, 0], scaling).index_select(0, rows.kept_K)
    attended = scaled_dot_product_attention(
        query.transpose(1, 2), key, value, attn_mask=mask[:, None], scale=scaling, enable_gqa=key.shape[1] != num_heads
    )
    return attended.transpose(1, 2).reshape(-1, num_heads, head_size).index_select(0, rows.kept_K)


def _read(stored: Tensor, slot_R: Tensor | slice) -> Tensor:
    return stored[slot_R] if isinstance(slot_R, slice) else stored.index_select(0, slot_R)


def _attend_single(query_RHD: Tensor, key: Tensor, value: Tensor, mask_RL: Tensor, scaling: float) -> Tensor:
    """The same for one query a row: plain batched products, quicker than the fused kernel for a single query."""
    num_rows, num_heads, head_size = query_RHD.shape
    num_kv_heads = key.shape[1]
    grouped = (query_RHD * scaling).view(num_rows, num_kv_heads, num_heads // num_kv_heads, head_size)
    score = grouped @ key.transpose(2, 3)
    score = score.masked_fill_(~mask_RL[:, None, None, :], float("-inf"))
    weight = score.softmax(-1, dtype=torch.promote_types(score.dtype, torch.float32)).to(value.dtype)
    return (weight @ value).reshape(num_rows, num_heads, head_size)


transformers.AttentionInterface.register(ATTENTION, slot_attention)
