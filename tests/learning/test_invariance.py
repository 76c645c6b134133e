"""What must not matter: how a batch is cut up, in what order it is packed, who else is in it, how fast it must go."""

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.learning.algorithms import ALGORITHMS, Algorithm, algorithm
from agentrl.learning.batch import Batch, drop_idle, minibatches, pack, split
from agentrl.learning.credit import CREDIT
from agentrl.learning.credit.turn import turn_return
from agentrl.learning.losses import AGGREGATION
from agentrl.learning.segments import segment_count, segment_position, segment_sum

NUM_TOKENS = 7  # in the vocabulary of the builder
COMPARING = sorted(set(CREDIT) - {"reinforce"})

TURN = st.fixed_dictionaries(
    {
        "reward": st.sampled_from([-0.5, 0.0, 0.0, 0.3, 1.0]),
        "state_key": st.sampled_from("abc"),
        "valid": st.booleans(),
        "num_context": st.integers(1, 3),
        "num_actions": st.integers(0, 3),
        "opens_sequence": st.sampled_from([False, False, True]),
    }
)
GROUPS = st.lists(
    st.lists(st.lists(TURN, min_size=1, max_size=4), min_size=1, max_size=4).map(tuple), min_size=1, max_size=3
)
ANY = settings(deadline=None, max_examples=25)


def double(batch: Batch) -> Batch:
    return replace(batch, sampled_logprob_T=batch.sampled_logprob_T.double())


class Bigram(torch.nn.Module):
    """A policy of the previous token and the position, both within the sequence."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.by_token = torch.nn.Parameter(
            torch.randn(NUM_TOKENS, NUM_TOKENS, generator=generator, dtype=torch.float64)
        )
        self.by_place = torch.nn.Parameter(torch.randn(40, NUM_TOKENS, generator=generator, dtype=torch.float64))

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        previous_T = batch.token_T.roll(1).where(batch.position_T > 0, 0)
        log_TV = (self.by_token[previous_T] + self.by_place[batch.position_T]).log_softmax(1)
        return log_TV.gather(1, batch.token_T[:, None]).squeeze(1), -(log_TV.exp() * log_TV).sum(1)

    def step_gradient(self, row: Algorithm, parts: list[Batch]) -> torch.Tensor:
        self.zero_grad()
        for part in parts:
            logprob_T, entropy_T = self(part)
            loss, _ = row.loss(logprob_T, part, entropy_T)
            loss.backward()
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters()]
        return torch.cat([gradient.flatten() for gradient in gradients])


def graded(row: Algorithm, batch: Batch) -> Batch:
    batch = replace(batch, advantage_T=row.credit(batch), weight_T=row.aggregation(batch))
    return replace(batch, reference_logprob_T=batch.sampled_logprob_T - 0.01 * batch.token_T)


def full(name: str) -> Algorithm:
    """The row with all the terms that a loss may have."""
    return algorithm(name, kl_coefficient=0.1, entropy_coefficient=0.01)


def close(left: torch.Tensor, right: torch.Tensor) -> None:
    torch.testing.assert_close(left, right, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
@ANY
@given(groups=GROUPS, max_tokens=st.integers(1, 40))
def test_the_gradient_of_a_step_is_the_same_for_any_split(tiny_batch, name, groups, max_tokens):
    row, policy = full(name), Bigram()
    batch = graded(row, tiny_batch(groups))
    close(policy.step_gradient(row, split(batch, max_tokens)), policy.step_gradient(row, [batch]))


@pytest.mark.parametrize("aggregation", sorted(AGGREGATION))
@ANY
@given(groups=GROUPS, max_tokens=st.integers(1, 40))
def test_so_it_is_under_every_aggregation(tiny_batch, aggregation, groups, max_tokens):
    row, policy = algorithm("grpo", aggregation=aggregation), Bigram()
    batch = graded(row, tiny_batch(groups))
    close(policy.step_gradient(row, split(batch, max_tokens)), policy.step_gradient(row, [batch]))


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
@ANY
@given(groups=GROUPS, order=st.randoms(use_true_random=False))
def test_the_order_of_groups_and_of_trajectories_does_not_matter(tiny_groups, name, groups, order: random.Random):
    row, policy = full(name), Bigram()
    built = tiny_groups(groups)
    shuffled = [replace(g, trajectories=tuple(order.sample(g.trajectories, len(g.trajectories)))) for g in built]
    order.shuffle(shuffled)
    gradients = [policy.step_gradient(row, [graded(row, double(pack(these)))]) for these in (built, shuffled)]
    close(*gradients)


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
@ANY
@given(groups=GROUPS)
def test_dropping_idle_sequences_changes_no_gradient(tiny_batch, name, groups):
    row, policy = algorithm(name), Bigram()
    batch = graded(row, tiny_batch(groups))
    close(policy.step_gradient(row, split(drop_idle(batch), 30)), policy.step_gradient(row, [batch]))


@pytest.mark.parametrize("name", sorted(CREDIT))
@ANY
@given(groups=GROUPS, other=GROUPS)
def test_credit_does_not_depend_on_other_groups(tiny_batch, name, groups, other):
    alone_T = CREDIT[name](tiny_batch(groups))
    together_T = CREDIT[name](tiny_batch([*groups, *other]))
    torch.testing.assert_close(together_T[: alone_T.numel()], alone_T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", sorted(CREDIT))
@ANY
@given(groups=GROUPS)
def test_only_sampled_tokens_get_credit_and_all_of_a_turn_the_same(tiny_batch, name, groups):
    batch = tiny_batch(groups)
    advantage_T = CREDIT[name](batch)
    assert not advantage_T[~batch.action_T].any()
    mean_T = batch.turn_to_token(batch.token_to_turn(advantage_T))
    torch.testing.assert_close(advantage_T, mean_T, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", COMPARING)
@ANY
@given(trajectories=st.lists(st.lists(TURN, min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_group_of_one_gets_exactly_0(tiny_batch, name, trajectories):
    distinct = [[{**turn, "state_key": f"{b}.{u}"} for u, turn in enumerate(t)] for b, t in enumerate(trajectories)]
    batch = tiny_batch([[trajectory] for trajectory in distinct])
    assert not CREDIT[name](batch).any()


@pytest.mark.parametrize("name", COMPARING)
@ANY
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=6), reward=st.sampled_from([0.0, 0.1, 1.1, -7.3]))
def test_a_group_without_spread_gets_exactly_0(tiny_batch, name, lengths, reward):
    group = [[{"reward": reward * (u == n - 1), "state_key": "s"} for u in range(n)] for n in lengths]
    assert not CREDIT[name](tiny_batch([group])).any()


@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "rloo"])
@ANY
@given(groups=GROUPS)
def test_the_credit_of_a_group_sums_to_0_over_its_trajectories(tiny_batch, name, groups):
    batch = tiny_batch([[[{**turn, "num_actions": 1} for turn in t] for t in group] for group in groups])
    first_U = segment_position(batch.trajectory_U) == 0
    advantage_B = batch.token_to_turn(CREDIT[name](batch))[first_U]
    sum_G = segment_sum(advantage_B, batch.group_B, batch.num_groups)
    close(sum_G, torch.zeros_like(sum_G))


@ANY
@given(groups=GROUPS)
def test_turn_return_sums_to_0_wherever_siblings_share_a_turn(tiny_batch, groups):
    batch = tiny_batch([[[{**turn, "num_actions": 1} for turn in t] for t in group] for group in groups])
    cell_U = batch.group_U * 10 + segment_position(batch.trajectory_U)
    sum_N = segment_sum(batch.token_to_turn(turn_return(batch)), cell_U, 100)
    close(sum_N[segment_count(cell_U, 100) > 1], torch.zeros(int((segment_count(cell_U, 100) > 1).sum())).double())


@ANY
@given(groups=GROUPS, num=st.integers(1, 5), seed=st.integers(0, 9))
def test_minibatches_keep_advantages_and_make_room_for_weights(tiny_batch, groups, num, seed):
    batch = tiny_batch(groups)
    batch = replace(batch, advantage_T=turn_return(batch))
    parts = minibatches(batch, min(num, batch.num_trajectories), seed)
    assert sum(part.num_tokens for part in parts) == batch.num_tokens
    for column in ("token_T", "advantage_T"):
        pieces = torch.cat([getattr(part, column) for part in parts])
        assert torch.equal(pieces.sort().values, getattr(batch, column).sort().values)
