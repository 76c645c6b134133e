"""Attention over a flat row of sequences laid end to end, for any transformers model.

A model runs on one row `[1, T]` that holds whole sequences without padding; only attention must know where they end.
Sequences of about equal length attend together, padded behind their last token: causality hides the padding from
every token that is kept, so that no mask is needed and the fast causal kernels serve on every device. Branches, where
there are any, stand behind the sequences, and those of each sequence attend together under a mask.
"""

from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from agentrl.errors import ConfigError
from agentrl.learning.branches import Branches, BranchSpan, branch_spans

ATTENTION = "agentrl_packed"
_WASTE = 1.25  # longest over shortest sequence of a block


@dataclass(frozen=True, slots=True)
class Packing:
    """How the tokens of a flat row are laid out for attention."""

    padded_P: Tensor  # int64  flat index of each place of the blocks, block after block, padding included
    kept_T: Tensor  # int64  place of each flat token
    shapes: tuple[tuple[int, int], ...]  # of each block: sequences, places per sequence
    spans: tuple[BranchSpan, ...] = ()  # of the branches behind the sequences


def packing(position_T: Tensor, branches: Branches | None = None) -> Packing:
    """The layout of the sequences that begin wherever the position is 0, with the branches behind them."""
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
    spans = () if branches is None else branch_spans(branches, position_T)
    return Packing(padded_P.to(device), kept_T.to(device), tuple(shapes), spans)


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
    """Causal attention within each sequence and its branches, `[1, T, heads, head]`; what transformers' layers call."""
    refuse_options(options)
    states = tuple(state[0] for state in (query, key, value))
    settings = {"dropout_p": dropout, "scale": scaling, "enable_gqa": query.shape[1] > key.shape[1]}
    sequences = _sequence_attention(states, packing, sliding_window, settings)
    branches = [_branch_attention(states, packing, span, sliding_window, settings) for span in packing.spans]
    return torch.cat([sequences, *branches]).unsqueeze(0), None


def _sequence_attention(
    states: tuple[Tensor, ...], packing: Packing, window: int | None, settings: dict[str, Any]
) -> Tensor:
    """What the sequences' tokens attend to, `[T, heads, head]`, from query, key and value, each `[heads, T, head]`."""
    blocks: list[Tensor] = []
    places = [rows * width for rows, width in packing.shapes]
    parts = [state.index_select(1, packing.padded_P).split(places, dim=1) for state in states]
    for (rows, width), *block in zip(packing.shapes, *parts, strict=True):
        windowed = window is not None and width > window
        attended = scaled_dot_product_attention(
            *(state.unflatten(1, (rows, width)).transpose(0, 1) for state in block),
            attn_mask=_window_mask(width, window, states[0].device) if windowed else None,
            is_causal=not windowed,
            **settings,
        )
        blocks.append(attended.transpose(1, 2).flatten(0, 1))
    return torch.cat(blocks).index_select(0, packing.kept_T)


def _branch_attention(
    states: tuple[Tensor, ...], packing: Packing, span: BranchSpan, window: int | None, settings: dict[str, Any]
) -> Tensor:
    """What the tokens of one sequence's branches attend to, `[Q, heads, head]`; see `_sequence_attention`."""
    num_before = packing.kept_T.numel()
    own = slice(num_before + span.branches.start, num_before + span.branches.stop)
    query, *context = states
    attended = scaled_dot_product_attention(
        query[None, :, own],
        *(torch.cat([state[:, span.row], state[:, own]], 1)[None] for state in context),
        attn_mask=span.mask_QK(window),
        **settings,
    )
    return attended[0].transpose(0, 1)


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
