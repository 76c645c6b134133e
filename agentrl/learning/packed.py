"""Attention over a flat row of sequences laid end to end, for any transformers model.

A model runs on one row `[1, T]` that holds whole sequences without padding; only attention must know where they end.
Sequences of about equal length attend together, padded behind their last token: causality hides the padding from
every token that is kept, so that no mask is needed and the fast causal kernels serve on every device.
"""

from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from agentrl.errors import ConfigError

ATTENTION = "agentrl_packed"
_WASTE = 1.25  # longest over shortest sequence of a block


@dataclass(frozen=True, slots=True)
class Packing:
    """How the tokens of a flat row are laid out for attention."""

    padded_P: Tensor  # int64  flat index of each place of the blocks, block after block, padding included
    kept_T: Tensor  # int64  place of each flat token
    shapes: tuple[tuple[int, int], ...]  # of each block: sequences, places per sequence


def packing(position_T: Tensor) -> Packing:
    """The layout of the sequences that begin wherever the position is 0."""
    num_tokens = position_T.numel()
    start_S = (position_T == 0).nonzero().squeeze(1)
    starts: list[int] = start_S.tolist()
    ends = [*starts[1:], num_tokens]
    lengths = [end - start for start, end in zip(starts, ends, strict=True)]
    padded: list[Tensor] = []
    shapes: list[tuple[int, int]] = []
    for block in _blocks(lengths):
        width = lengths[block[-1]]
        place_W = torch.arange(width)
        start_R = torch.tensor([starts[s] for s in block])
        length_R = torch.tensor([lengths[s] for s in block])
        padded.append((start_R[:, None] + torch.minimum(place_W, length_R[:, None] - 1)).flatten())
        shapes.append((len(block), width))
    padded_P = torch.cat(padded)
    # A padding place repeats its sequence's last token, and comes after it: written backwards, the first place wins.
    kept_T = torch.empty(num_tokens, dtype=torch.int64)
    first_P = torch.ones_like(padded_P, dtype=torch.bool)
    first_P[1:] = padded_P[1:] != padded_P[:-1]
    place_T = first_P.nonzero().squeeze(1)
    kept_T[padded_P[place_T]] = place_T
    device = position_T.device
    return Packing(padded_P.to(device), kept_T.to(device), tuple(shapes))


def _blocks(lengths: list[int]) -> list[list[int]]:
    """The sequences in order of length, cut where the longest of a block would waste too much on the shortest."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    blocks: list[list[int]] = []
    for sequence in order:
        if not blocks or lengths[sequence] > _WASTE * lengths[blocks[-1][0]]:
            blocks.append([])
        blocks[-1].append(sequence)
    return blocks


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # none is built for this attention
    *,
    packing: Packing,
    scaling: float | None = None,
    sliding_window: int | None = None,
    dropout: float = 0.0,
    **options: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each sequence, `[1, T, heads, head]`; called by transformers in every layer."""
    refuse_options(options)
    group = query.shape[1] // key.shape[1]
    blocks: list[Tensor] = []
    places = [rows * width for rows, width in packing.shapes]
    parts = [states[0].index_select(1, packing.padded_P).split(places, dim=1) for states in (query, key, value)]
    for (rows, width), query_P, key_P, value_P in zip(packing.shapes, *parts, strict=True):
        windowed = sliding_window is not None and width > sliding_window
        attended = scaled_dot_product_attention(
            query_P.unflatten(1, (rows, width)).transpose(0, 1),
            key_P.unflatten(1, (rows, width)).transpose(0, 1),
            value_P.unflatten(1, (rows, width)).transpose(0, 1),
            attn_mask=_window_mask(width, sliding_window, query.device) if windowed else None,
            is_causal=not windowed,
            dropout_p=dropout,
            scale=scaling,
            enable_gqa=group > 1,
        )
        blocks.append(attended.transpose(1, 2).flatten(0, 1))
    return torch.cat(blocks).index_select(0, packing.kept_T).unsqueeze(0), None


def refuse_options(options: dict[str, Any]) -> None:
    """Raise for what a model asks of attention that would change its values and is not offered."""
    for name in ("softcap", "s_aux"):
        if options.get(name) is not None:
            raise ConfigError(f"The model's attention needs `{name}`, which agentrl does not offer. Use another model.")


def _window_mask(width: int, window: int | None, device: torch.device) -> Tensor:
    place_W = torch.arange(width, device=device)
    behind_WW = place_W[:, None] - place_W[None, :]
    return (behind_WW >= 0) & (behind_WW < (window or width))


transformers.AttentionInterface.register(ATTENTION, packed_attention)
