from dataclasses import fields, replace
from itertools import pairwise

import pytest
import torch

from agentrl.learning.batch import Batch, consecutive, drop_idle, minibatches, pack, split
from agentrl.messages import Message
from agentrl.trajectory import Group, Outcome, Task, Trajectory, Turn

REWRITTEN = [
    {"reward": 0.5, "num_context": 3, "num_actions": 2, "version": 4, "state_key": "a"},
    {"num_context": 1, "num_actions": 1, "version": 5, "valid": False},
    {"reward": 1.0, "num_context": 2, "num_actions": 3, "opens_sequence": True, "version": 5, "state_key": "b"},
]


def same(left: Batch, right: Batch) -> bool:
    pairs = [(getattr(left, field.name), getattr(right, field.name)) for field in fields(Batch)]
    return all((a is None and b is None) or torch.equal(a, b) for a, b in pairs)


def test_pack_lays_a_rewritten_context_out_as_two_sequences(tiny_groups):
    batch = pack(tiny_groups([[REWRITTEN]]))
    assert batch.token_T.tolist() == [0, 1, 2, 3, 4, 3, 4, 6, 0, 1, 2, 3]
    assert batch.action_T.tolist() == [False] * 3 + [True] * 2 + [False, True] + [False] * 2 + [True] * 3
    assert batch.turn_T.tolist() == [0] * 5 + [1] * 2 + [2] * 5
    assert batch.position_T.tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4]
    assert batch.sequence_U.tolist() == [0, 0, 1]
    assert batch.reward_U.tolist() == [0.5, 0.0, 1.0]
    assert batch.version_U.tolist() == [4, 5, 5]
    assert batch.valid_U.tolist() == [True, False, True]
    assert batch.state_key_U is not None
    assert batch.state_key_U.tolist() == [0, -1, 1]
    expected = [0, 0, 0, -0.8, -0.9, 0, -0.9, 0, 0, -0.6, -0.7, -0.8]
    assert batch.sampled_logprob_T.tolist() == pytest.approx(expected)


def test_pack_numbers_groups_and_trajectories_and_leaves_excluded_ones_out(tiny_groups):
    full, empty, other = tiny_groups([[[0.0], [1.0, 2.0]], [], [[3.0]]])
    lost = replace(other.trajectories[0], outcome=Outcome.INFRA_ERROR)
    batch = pack([full, replace(empty, excluded=(lost,)), replace(other, excluded=(lost,))])
    assert batch.group_B.tolist() == [0, 0, 1]
    assert batch.trajectory_U.tolist() == [0, 1, 1, 2]
    assert batch.sequence_U.tolist() == [0, 1, 1, 2]
    counts = [batch.num_groups, batch.num_trajectories, batch.num_sequences, batch.num_turns, batch.num_tokens]
    assert counts == [2, 3, 3, 4, 8]
    assert batch.group_U.tolist() == [0, 0, 0, 1]
    assert batch.state_key_U is None


def test_only_the_environment_terminates(tiny_groups):
    (group,) = tiny_groups([[[0.0]] * 3])
    outcomes = (Outcome.FINISHED, Outcome.TURN_LIMIT, Outcome.PARSE_FAILURE)
    ended = tuple(replace(t, outcome=o) for t, o in zip(group.trajectories, outcomes, strict=True))
    assert pack([replace(group, trajectories=ended)]).terminated_B.tolist() == [True, False, False]


def test_equal_state_keys_are_equal_across_groups(tiny_groups):
    keyed = [[{"state_key": "start"}, {"state_key": "left"}]]
    batch = pack(tiny_groups([keyed, [[{"state_key": "start"}]]]))
    assert batch.state_key_U is not None
    assert batch.state_key_U.tolist() == [0, 1, 0]


def test_entropies_are_kept_when_every_turn_has_them(tiny_groups):
    with_entropy = {"num_actions": 2, "entropies": (0.25, 0.5)}
    batch = pack(tiny_groups([[[with_entropy, with_entropy]]]))
    assert batch.entropy_T is not None
    assert batch.entropy_T.tolist() == [0, 0.25, 0.5, 0, 0.25, 0.5]
    assert pack(tiny_groups([[[with_entropy, 0.0]]])).entropy_T is None


def test_a_turn_of_which_no_expert_was_asked_counts_as_one_that_matched(tiny_groups):
    batch = pack(tiny_groups([[[{"matched": False}, {"matched": True}, 0.0]]]))
    assert batch.matched_U is not None
    assert batch.matched_U.tolist() == [False, True, True]
    assert pack(tiny_groups([[[0.0]]])).matched_U is None


def test_a_turn_without_tokens_keeps_its_place(tiny_groups):
    batch = pack(tiny_groups([[[1.0, {"reward": 2.0, "num_context": 0, "num_actions": 0}, 3.0]]]))
    assert batch.turn_T.tolist() == [0, 0, 2, 2]
    assert batch.position_T.tolist() == [0, 1, 2, 3]
    assert batch.token_to_turn(batch.turn_to_token(batch.reward_U)).tolist() == [1, 0, 3]
    (part,) = split(batch, 100)
    assert same(part, batch)


def test_values_of_turns_reach_only_the_tokens_that_were_sampled(tiny_batch):
    batch = tiny_batch([[REWRITTEN]])
    value_T = batch.turn_to_token(torch.tensor([1.0, 2.0, 3.0]))
    assert value_T.tolist() == [0, 0, 0, 1, 1, 0, 2, 0, 0, 3, 3, 3]
    assert value_T.dtype == torch.float64
    assert batch.token_to_turn(value_T + 1).tolist() == [2, 3, 4]


def test_moving_a_batch_keeps_every_column(tiny_batch):
    batch = tiny_batch([[REWRITTEN]])
    assert same(batch.to("cpu"), batch)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([], "0 groups hold no scored trajectory"),
        ([[[]]], "Trajectory '0.0' has no turn"),
        ([[[0.0, {"logprobs": ()}]]], "Turn 1 of trajectory '0.0' has 1 action ids and 0 log-probabilities"),
        ([[[0.0], [float("nan")]]], "Turn 0 of trajectory '0.1' has the reward nan"),
    ],
)
def test_pack_says_what_it_cannot_pack(tiny_groups, groups, message):
    with pytest.raises(ValueError, match=message):
        pack(tiny_groups(groups))


def test_split_cuts_between_sequences_longest_first_and_loses_nothing(tiny_batch):
    batch = tiny_batch([[REWRITTEN, [1.0]], [[2.0, 3.0, 4.0]]])  # sequences of 7, 5, 2 and 6 tokens
    batch = replace(batch, weight_T=torch.arange(batch.num_tokens), advantage_T=-torch.arange(batch.num_tokens))
    parts = split(batch, 8)
    assert [part.num_tokens for part in parts] == [7, 6, 7]
    assert torch.cat([part.weight_T for part in parts]).sort().values.tolist() == list(range(batch.num_tokens))
    last = parts[2]  # the rewritten half of the first trajectory and the whole second: one group
    assert last.token_T.tolist() == [*batch.token_T[7:12].tolist(), *batch.token_T[12:14].tolist()]
    assert last.advantage_T is not None
    assert last.advantage_T.tolist() == [-7, -8, -9, -10, -11, -12, -13]
    assert last.turn_T.tolist() == [0] * 5 + [1] * 2
    assert last.sequence_U.tolist() == [0, 1]
    assert last.trajectory_U.tolist() == [0, 1]
    assert last.group_B.tolist() == [0, 0]
    assert last.reward_U.tolist() == [1.0, 1.0]
    assert last.state_key_U is not None
    assert last.state_key_U.tolist() == [1, -1]


def test_a_sequence_longer_than_the_limit_is_a_part_by_itself(tiny_batch):
    assert [part.num_tokens for part in split(tiny_batch([[[0.0], [0.0, 0.0], [0.0]]]), 3)] == [4, 2, 2]


def test_one_part_is_the_batch_itself(tiny_batch):
    batch = tiny_batch([[REWRITTEN, [1.0]], [[2.0, 3.0, 4.0]]])
    (part,) = split(batch, 1000)
    assert same(part, batch)


@pytest.mark.parametrize("max_tokens", [1, 6, 9, 13, 1000])
def test_consecutive_parts_lie_end_to_end_in_the_batch(tiny_batch, max_tokens):
    batch = tiny_batch([[REWRITTEN, [1.0]], [[2.0, 3.0, 4.0]]])
    parts = consecutive(batch, max_tokens)
    for column in ("token_T", "position_T", "sampled_logprob_T", "action_T", "reward_U", "version_U"):
        assert torch.equal(torch.cat([getattr(part, column) for part in parts]), getattr(batch, column))
    assert all(part.num_tokens <= max_tokens or part.num_sequences == 1 for part in parts)
    assert all(one.num_tokens + int((two.sequence_T == 0).sum()) > max_tokens for one, two in pairwise(parts))


@pytest.mark.parametrize("cut", [split, consecutive])
def test_a_limit_of_nothing_is_refused(tiny_batch, cut):
    with pytest.raises(ValueError, match="max_tokens must be at least 1; got 0"):
        cut(tiny_batch([[[0.0]]]), 0)


def test_minibatches_deal_out_whole_trajectories_once_each(tiny_batch):
    batch = tiny_batch([[[10.0 * b + u for u in range(3)] for b in range(4)], [REWRITTEN]])
    batch = replace(batch, weight_T=torch.ones(batch.num_tokens), advantage_T=torch.ones(batch.num_tokens))
    parts = minibatches(batch, 2, seed=3)
    assert [part.num_trajectories for part in parts] == [3, 2]
    rewards = [part.reward_U[part.trajectory_U == b].tolist() for part in parts for b in range(part.num_trajectories)]
    assert sorted(rewards) == [[0, 1, 2], [0.5, 0, 1], [10, 11, 12], [20, 21, 22], [30, 31, 32]]
    assert all(part.weight_T is None and part.advantage_T is not None for part in parts)


def test_minibatches_depend_on_the_seed_alone(tiny_batch):
    batch = tiny_batch([[[float(b)] for b in range(30)]])
    first, again, other = (minibatches(batch, 3, seed=seed) for seed in (1, 1, 2))
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not all(same(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("num", [0, 3])
def test_more_steps_than_trajectories_are_refused(tiny_batch, num):
    with pytest.raises(ValueError, match=f"A batch of 2 trajectories cannot be dealt out to {num} optimizer steps"):
        minibatches(tiny_batch([[[0.0], [1.0]]]), num)


def test_idle_sequences_are_dropped(tiny_batch):
    batch = tiny_batch([[REWRITTEN, [1.0]], [[2.0], [3.0]]])
    batch = replace(
        batch,
        advantage_T=batch.turn_to_token(torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0, -2.0])),
        weight_T=batch.turn_to_token(torch.tensor([1.0, 1.0, 1.0, 0.0, 1.0, 1.0])),
    )
    busy = drop_idle(batch)
    assert busy.reward_U.tolist() == [0.5, 0.0, 3.0]
    assert busy.group_B.tolist() == [0, 1]
    assert busy.advantage_T is not None
    assert busy.advantage_T.tolist() == [0, 0, 0, 0, 0, 0, 1, 0, -2]


def test_a_batch_without_any_advantage_is_all_idle(tiny_batch):
    batch = tiny_batch([[[1.0]]])
    zero_T = torch.zeros(batch.num_tokens)
    rest = drop_idle(replace(batch, advantage_T=zero_T, weight_T=zero_T))
    assert [rest.num_groups, rest.num_trajectories, rest.num_sequences, rest.num_turns, rest.num_tokens] == [0] * 5
    assert split(rest, 10) == []


@pytest.mark.slow
def test_a_large_batch_is_cut_into_parts_that_are_nearly_full():
    turn = Turn(
        message=Message("assistant"), context_ids=tuple(range(30)), action_ids=tuple(range(20)), logprobs=(-1.0,) * 20
    )
    trajectory = Trajectory(id="t", task=Task("task"), prompt=(), turns=(turn,) * 50, outcome=Outcome.FINISHED)
    group = Group(id="g", task=Task("task"), trajectories=(trajectory,) * 8)
    batch = pack([group] * 16)
    parts = split(batch, 32_768)
    assert (batch.num_tokens, len(parts)) == (320_000, 10)
