"""The batch: what was sampled, as flat named columns; packing trajectories into one, and cutting it up.

Axes, given by a name's last letter: G groups, B trajectories, S sequences, U turns, T tokens. A sequence is a maximal
append-only run of tokens; a trajectory has several where its context was rewritten. Everything lies in the order of
what it belongs to, so that the index columns (`turn_T`, `sequence_U`, `trajectory_U`, `group_B`) never decrease; each
starts at 0 and leaves no number out, save that a turn may hold no token.
"""

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain

import torch
from torch import Tensor

from agentrl.learning.segments import ranges, renumber, segment_count, segment_first, segment_mean, segment_sum
from agentrl.trajectory import Group, Outcome, Trajectory, Turn

PRIORS = ("value", "mean", "std", "count")  # what `Group.prior` may hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Columns over tokens, turns and trajectories; changed with `dataclasses.replace`, never in place."""

    token_T: Tensor  # int64  prompt, observation and action ids, as the engine saw them
    action_T: Tensor  # bool   the policy sampled the token; everything else is context
    sampled_logprob_T: Tensor  # f32    nats, at the temperature it was sampled at; 0 off-action
    turn_T: Tensor  # int64  index into U
    position_T: Tensor  # int64  place in its sequence
    reward_U: Tensor  # f64    earned by the turn; doubles, so that equal returns stay equal however they were summed
    trajectory_U: Tensor  # int64  index into B
    sequence_U: Tensor  # int64  index into S
    version_U: Tensor  # int64  policy version that sampled the turn
    valid_U: Tensor  # bool   the turn held an action that could be tried
    group_B: Tensor  # int64  index into G
    terminated_B: Tensor  # bool   the environment ended it; False = cut off, which is no failure
    state_key_U: Tensor | None = None  # int64  equal iff the state keys are, in whatever group; -1 = the turn has none
    old_logprob_T: Tensor | None = None  # nats, of the policy that the ratio compares with; None = who sampled
    reference_logprob_T: Tensor | None = None  # nats, of the policy that the KL term holds on to
    step_logprob_T: Tensor | None = None  # nats, of the policy before an optimizer step, for statistics of its batch
    entropy_T: Tensor | None = None  # nats, of the distribution sampled from, where the engine gave it; 0 off-action
    value_T: Tensor | None = None  # the return-to-go that a critic expects before the token is sampled; 0 off-action
    process_reward_T: Tensor | None = None  # beta x log ratio of a process reward model to who sampled; 0 off-action
    information_gain_U: Tensor | None = None  # how much the turn raised the belief in the answer; 0 on a last turn
    origin_U: Tensor | None = None  # int64  equal iff the turns are copies, in several branches, of one decision
    matched_U: Tensor | None = None  # bool   False where the turn was not what an expert would have done
    success_B: Tensor | None = None  # bool   solved, by the suite's criterion
    answer_B: Tensor | None = None  # int64  equal iff the trajectories' last messages are
    prior_value_B: Tensor | None = None  # f64  the return that the task's past promised
    prior_mean_B: Tensor | None = None  # f64  of all returns in the task's past
    prior_std_B: Tensor | None = None  # f64
    prior_count_B: Tensor | None = None  # f64  how many groups that past holds
    advantage_T: Tensor | None = None  # filled by credit, on the whole collected batch; 0 off-action
    weight_T: Tensor | None = None  # filled by aggregation, on the batch of one optimizer step; 0 off-action
    bound_low_T: Tensor | None = None  # the least ratio that counts; filled by a survey, as are those that follow
    bound_high_T: Tensor | None = None  # the largest one
    kept_T: Tensor | None = None  # bool   the token's surrogate counts
    penalized_T: Tensor | None = None  # bool   the token's surrogate costs something even without an advantage

    @property
    def num_groups(self) -> int:
        """How many groups."""
        return _num(self.group_B)

    @property
    def num_trajectories(self) -> int:
        """How many trajectories."""
        return self.group_B.numel()

    @property
    def num_sequences(self) -> int:
        """How many sequences."""
        return _num(self.sequence_U)

    @property
    def num_turns(self) -> int:
        """How many turns."""
        return self.reward_U.numel()

    @property
    def num_tokens(self) -> int:
        """How many tokens, context included."""
        return self.token_T.numel()

    @property
    def group_U(self) -> Tensor:
        """The group of each turn."""
        return self.group_B[self.trajectory_U]

    @property
    def sequence_T(self) -> Tensor:
        """The sequence of each token."""
        return self.sequence_U[self.turn_T]

    @property
    def trajectory_T(self) -> Tensor:
        """The trajectory of each token."""
        return self.trajectory_U[self.turn_T]

    @property
    def behavior_logprob_T(self) -> Tensor:
        """The log-probabilities that the ratio compares with: `old_logprob_T`, or else the sampled ones."""
        return self.sampled_logprob_T if self.old_logprob_T is None else self.old_logprob_T

    def turn_to_token(self, x_U: Tensor) -> Tensor:
        """Each turn's value on the tokens that it sampled; 0 off-action.

        Shapes: x_U [U]; returns [T], of the type of `sampled_logprob_T`.
        """
        return torch.where(self.action_T, x_U.to(self.sampled_logprob_T.dtype)[self.turn_T], 0)

    def token_to_turn(self, x_T: Tensor) -> Tensor:
        """The mean of each turn over the tokens that it sampled; 0 where it sampled none.

        Shapes: x_T [T]; returns [U].
        """
        return segment_mean(x_T[self.action_T], self.turn_T[self.action_T], self.num_turns)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        columns = {name: column.to(device) for name, column in _columns(self).items()}
        return replace(self, **columns)


def pack(groups: Sequence[Group]) -> Batch:
    """The scored trajectories of the groups, in order; their excluded ones, and groups without any, are left out.

    Raises:
        ValueError: There is no trajectory, or one lacks turns, log-probabilities or a finite reward.
    """
    siblings = [group.trajectories for group in groups if group.trajectories]
    trajectories = list(chain.from_iterable(siblings))
    if not trajectories:
        raise ValueError(f"{len(groups)} groups hold no scored trajectory: there is nothing to pack.")
    for trajectory in trajectories:
        _check(trajectory)
    turns = [turn for trajectory in trajectories for turn in trajectory.turns]
    return Batch(
        **_token_columns(turns, _opens(trajectories)),
        **_turn_columns(turns),
        trajectory_U=_index([len(trajectory.turns) for trajectory in trajectories]),
        sequence_U=_opens(trajectories).cumsum(0) - 1,
        group_B=_index([len(members) for members in siblings]),
        terminated_B=torch.tensor([trajectory.outcome is Outcome.FINISHED for trajectory in trajectories]),
        success_B=torch.tensor([trajectory.success for trajectory in trajectories]),
        answer_B=_numbers(repr(trajectory.turns[-1].message) for trajectory in trajectories),
        origin_U=_origins(trajectories),
        **_prior_columns([group for group in groups if group.trajectories]),
    )


def split(batch: Batch, max_tokens: int) -> list[Batch]:
    """Micro-batches of whole sequences with at most `max_tokens` tokens each; a longer one gets a part of its own.

    Longest sequences come first: parts hold sequences of about one length, and memory that runs out does so at once.
    All columns are kept, `advantage_T` and `weight_T` too: the parts' gradients add up to the batch's.

    Raises:
        ValueError: `max_tokens` is not positive.
    """
    lengths = _sequence_lengths(batch)
    parts = _fill(sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True), lengths, max_tokens)
    return _select(batch, batch.sequence_U, [torch.tensor(sorted(part)) for part in parts])


def consecutive(batch: Batch, max_tokens: int) -> list[Batch]:
    """As `split`, with the sequences left in their order: columns computed part by part lie end to end in the batch's.

    Raises:
        ValueError: `max_tokens` is not positive.
    """
    lengths = _sequence_lengths(batch)
    parts = _fill(range(len(lengths)), lengths, max_tokens)
    return _select(batch, batch.sequence_U, [torch.tensor(part) for part in parts])


def minibatches(batch: Batch, num: int, seed: int = 0) -> list[Batch]:
    """The batch in `num` parts for as many optimizer steps: whole trajectories, dealt out at random by `seed`.

    Advantages are kept, since they were assigned on the whole batch; weights are not, since they belong to a step.

    Raises:
        ValueError: `num` is not between 1 and the number of trajectories.
    """
    if not 1 <= num <= batch.num_trajectories:
        raise ValueError(
            f"A batch of {batch.num_trajectories} trajectories cannot be dealt out to {num} optimizer steps."
        )
    order_B = torch.randperm(batch.num_trajectories, generator=torch.Generator().manual_seed(seed))
    parts = [part.sort().values for part in order_B.tensor_split(num)]
    return [replace(part, weight_T=None) for part in _select(batch, batch.trajectory_U, parts)]


def drop_idle(batch: Batch) -> Batch:
    """The batch without the sequences in which no token has both an advantage and a weight.

    Their gradient is 0, so they need no forward pass, unless a term that does not depend on the advantage (KL, entropy)
    is part of the loss; tokens that a survey has marked for such a term are not idle. What is left may be empty.
    """
    assert batch.advantage_T is not None, "drop_idle() needs advantages"
    assert batch.weight_T is not None, "drop_idle() needs weights"
    moved_T = batch.advantage_T != 0
    if batch.penalized_T is not None:
        moved_T = moved_T | batch.penalized_T
    busy_T = moved_T & (batch.weight_T != 0)
    busy_S = segment_sum(busy_T, batch.sequence_T, batch.num_sequences) > 0
    return _select(batch, batch.sequence_U, [busy_S.nonzero().squeeze(1)])[0]


def _check(trajectory: Trajectory) -> None:
    if not trajectory.turns:
        raise ValueError(f"Trajectory {trajectory.id!r} has no turn: exclude it before it is packed.")
    for number, turn in enumerate(trajectory.turns):
        if turn.sampled and len(turn.logprobs) != len(turn.action_ids):
            raise ValueError(
                f"Turn {number} of trajectory {trajectory.id!r} has {len(turn.action_ids)} action ids and "
                f"{len(turn.logprobs)} log-probabilities: sample from an engine that returns one for each token."
            )
        if not math.isfinite(turn.reward):
            raise ValueError(
                f"Turn {number} of trajectory {trajectory.id!r} has the reward {turn.reward}; give a number."
            )


def _opens(trajectories: Sequence[Trajectory]) -> Tensor:
    """Which turns open a sequence: a trajectory's first, and those whose context was rewritten."""
    return torch.tensor([u == 0 or turn.opens_sequence for t in trajectories for u, turn in enumerate(t.turns)])


def _token_columns(turns: Sequence[Turn], opens_U: Tensor) -> dict[str, Tensor]:
    piece_lengths = chain.from_iterable((len(turn.context_ids), len(turn.action_ids)) for turn in turns)
    length_UP = torch.tensor(list(piece_lengths)).view(-1, 2)  # P: context, action
    length_U = length_UP.sum(1)
    is_action_UP = torch.tensor([[False, turn.sampled] for turn in turns])
    action_T = is_action_UP.flatten().repeat_interleave(length_UP.flatten())
    turn_T = torch.arange(len(turns)).repeat_interleave(length_U)
    before_U = length_U.cumsum(0) - length_U
    start_U = before_U[opens_U][opens_U.cumsum(0) - 1]
    columns = {
        "token_T": torch.tensor(list(chain.from_iterable(chain(turn.context_ids, turn.action_ids) for turn in turns))),
        "action_T": action_T,
        "turn_T": turn_T,
        "position_T": torch.arange(turn_T.numel()) - start_U[turn_T],
        "sampled_logprob_T": _on_action(action_T, [turn.logprobs for turn in turns if turn.sampled]),
    }
    sampled = [turn for turn in turns if turn.sampled]
    if all(len(turn.entropies) == len(turn.action_ids) for turn in sampled):
        columns["entropy_T"] = _on_action(action_T, [turn.entropies for turn in sampled])
    return columns


def _turn_columns(turns: Sequence[Turn]) -> dict[str, Tensor]:
    columns = {
        "reward_U": torch.tensor([turn.reward for turn in turns], dtype=torch.float64),
        "version_U": torch.tensor([turn.version for turn in turns]),
        "valid_U": torch.tensor([turn.valid for turn in turns]),
    }
    if any(turn.state_key is not None for turn in turns):
        columns["state_key_U"] = _numbers(turn.state_key for turn in turns)
    if any(turn.matched is not None for turn in turns):
        columns["matched_U"] = torch.tensor([turn.matched is not False for turn in turns])
    return columns


def _origins(trajectories: Sequence[Trajectory]) -> Tensor | None:
    """The number of the decision that each turn is, or is a copy of; None where no turn is a copy."""
    turns = [
        (trajectory.id, number, turn) for trajectory in trajectories for number, turn in enumerate(trajectory.turns)
    ]
    if all(turn.origin is None for _, _, turn in turns):
        return None
    return _numbers(turn.origin or f"{trajectory}/{number}" for trajectory, number, turn in turns)


def _prior_columns(groups: Sequence[Group]) -> dict[str, Tensor]:
    """What the curriculum knew, for each trajectory; a column is there if it is known of every group."""
    size_G = torch.tensor([len(group.trajectories) for group in groups])
    known = [name for name in PRIORS if all(name in group.prior for group in groups)]
    return {
        f"prior_{name}_B": torch.tensor([group.prior[name] for group in groups], dtype=torch.float64).repeat_interleave(
            size_G
        )
        for name in known
    }


def _numbers(keys: Iterable[Hashable]) -> Tensor:
    """Equal numbers for equal keys, counted from 0 in order of appearance; -1 for None."""
    ids: dict[Hashable, int] = {}
    return torch.tensor([-1 if key is None else ids.setdefault(key, len(ids)) for key in keys])


def _on_action(action_T: Tensor, values: Sequence[Sequence[float]]) -> Tensor:
    column_T = torch.zeros(action_T.shape)
    column_T[action_T] = torch.tensor(list(chain.from_iterable(values)), dtype=torch.float32)
    return column_T


def _index(counts: Sequence[int]) -> Tensor:
    return torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))


def _num(index_N: Tensor) -> int:
    return int(index_N[-1]) + 1 if index_N.numel() else 0


def _sequence_lengths(batch: Batch) -> list[int]:
    return [int(num_tokens) for num_tokens in segment_count(batch.sequence_T, batch.num_sequences).cpu()]


def _fill(order: Iterable[int], lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """The sequences in that order, in parts of at most `max_tokens` tokens."""
    if max_tokens < 1:
        raise ValueError(f"max_tokens must be at least 1; got {max_tokens}.")
    parts: list[list[int]] = []
    room = 0
    for sequence in order:
        if not parts or lengths[sequence] > room:
            parts.append([])
            room = max_tokens
        parts[-1].append(sequence)
        room -= lengths[sequence]
    return parts


def _columns(batch: Batch) -> dict[str, Tensor]:
    columns = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {name: column for name, column in columns.items() if column is not None}


def _select(batch: Batch, unit_U: Tensor, parts: Sequence[Tensor]) -> list[Batch]:
    """For each part, the batch with only the turns of its units; `unit_U` says to which unit a turn belongs."""
    num_tokens_U = segment_count(batch.turn_T, batch.num_turns)
    first_token_U = num_tokens_U.cumsum(0) - num_tokens_U
    num_turns_N = segment_count(unit_U, _num(unit_U))
    first_turn_N = num_turns_N.cumsum(0) - num_turns_N
    selected: list[Batch] = []
    for part in parts:
        units = part.to(unit_U.device)
        turns = ranges(first_turn_N[units], num_turns_N[units])
        tokens = ranges(first_token_U[turns], num_tokens_U[turns])
        selected.append(_take(batch, turns, tokens, num_tokens_U[turns]))
    return selected


def _take(batch: Batch, turns: Tensor, tokens: Tensor, num_tokens_U: Tensor) -> Batch:
    """The columns at these turns and tokens, with the index columns numbered anew."""
    trajectories = batch.trajectory_U[turns][segment_first(batch.trajectory_U[turns])]
    rows = {"T": tokens, "U": turns, "B": trajectories}
    columns = {name: column[rows[name[-1]]] for name, column in _columns(batch).items()}
    columns["turn_T"] = torch.arange(turns.numel(), device=turns.device).repeat_interleave(num_tokens_U)
    for name in ("trajectory_U", "sequence_U", "group_B"):
        columns[name] = renumber(columns[name])
    return replace(batch, **columns)
