"""Branches: tokens that go on from some place of a sequence and are part of none, to ask a model what it expects there.

They stand behind the flat row of the sequences, and attend to their sequence up to their stem and to their own branch;
nothing else attends to them. So any number of questions costs one pass over the row, plus their own tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agentrl.learning.segments import segment_first, segment_position


@dataclass(frozen=True, slots=True, kw_only=True)
class Branches:
    """What goes on from where. Axes: M branches, N their tokens, T those of the row that they belong to."""

    token_N: Tensor  # int64
    branch_N: Tensor  # int64  index into M, non-decreasing; every branch holds a token
    stem_M: Tensor  # int64  index into T, non-decreasing: the last token that comes before the branch

    def position_N(self, position_T: Tensor) -> Tensor:
        """The place that each token would have in its sequence."""
        return position_T[self.stem_M][self.branch_N] + 1 + segment_position(self.branch_N)

    def previous_N(self, num_row_tokens: int) -> Tensor:
        """Where the token before each one stands, in the row with the branches behind it."""
        place_N = num_row_tokens + torch.arange(self.token_N.numel(), device=self.token_N.device)
        return torch.where(segment_first(self.branch_N), self.stem_M[self.branch_N], place_N - 1)

    def to(self, device: torch.device) -> "Branches":
        """The same branches on another device."""
        return Branches(
            token_N=self.token_N.to(device), branch_N=self.branch_N.to(device), stem_M=self.stem_M.to(device)
        )


@dataclass(frozen=True, slots=True)
class BranchSpan:
    """Branches of one sequence that attend together. Axes: Q their tokens, K the sequence's and theirs."""

    row: slice  # of the row: the sequence up to the last of their stems
    branches: slice  # of N
    behind_QK: Tensor  # int64  how many places the key stands before the query; negative: it is not attended to

    def mask_QK(self, window: int | None) -> Tensor:
        """Which keys are attended to, in a layer that looks back no further than `window`."""
        seen_QK = self.behind_QK >= 0
        return seen_QK if window is None else seen_QK & (self.behind_QK < window)


def branch_spans(branches: Branches, position_T: Tensor, *, max_tokens: int = 128) -> tuple[BranchSpan, ...]:
    """The branches in order, as many of a sequence together as have `max_tokens` tokens, or a longer one by itself.

    What a query does not attend to is computed and masked, so that large spans are wasteful, and tiny ones slow.

    Args:
        branches: What is laid out.
        position_T: Of the row's tokens; a sequence begins wherever it is 0.
        max_tokens: Of a span.
    """
    start_S = (position_T == 0).nonzero().squeeze(1)
    sequences: list[int] = (torch.searchsorted(start_S, branches.stem_M, right=True) - 1).tolist()
    ends: list[int] = torch.bincount(branches.branch_N).cumsum(0).tolist()
    position_N, stem_N = branches.position_N(position_T), branches.stem_M[branches.branch_N]

    def span(first: int, last: int) -> BranchSpan:
        row = slice(int(start_S[sequences[first]]), int(branches.stem_M[last]) + 1)
        own = slice(ends[first - 1] if first else 0, ends[last])
        place_K = torch.arange(row.start, row.stop, device=position_T.device)
        behind_row_QK = position_N[own, None] - position_T[row]
        behind_own_QK = position_N[own, None] - position_N[own]
        is_other_QK = branches.branch_N[own, None] != branches.branch_N[own]
        behind = (
            behind_row_QK.masked_fill(place_K > stem_N[own, None], -1),
            behind_own_QK.masked_fill(is_other_QK, -1),
        )
        return BranchSpan(row, own, torch.cat(behind, 1))

    spans: list[BranchSpan] = []
    first = 0
    for m in range(1, len(sequences) + 1):
        num_before = ends[first - 1] if first else 0
        if m == len(sequences) or sequences[m] != sequences[first] or ends[m] - num_before > max_tokens:
            spans.append(span(first, m - 1))
            first = m
    return tuple(spans)


def branches_of(continuations: Sequence[tuple[int, Sequence[int]]]) -> Branches:
    """The branches that go on from these tokens of a row, each `(stem, token ids)`, in the order of their stems."""
    counts = torch.tensor([len(ids) for _, ids in continuations])
    return Branches(
        token_N=torch.tensor([token for _, ids in continuations for token in ids]),
        branch_N=torch.arange(len(continuations)).repeat_interleave(counts),
        stem_M=torch.tensor([stem for stem, _ in continuations]),
    )
