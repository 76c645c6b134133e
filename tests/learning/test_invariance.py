"""What must not matter: how a batch is cut up, in what order it is packed, who else is in it, how fast it must go."""

import random
from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.learning.algorithms import ALGORITHMS, Algorithm, algorithm
from agentrl.learning.batch import Batch, drop_idle, minibatches, pack, split
from agentrl.learning.credit import CREDIT
from agentrl.learning.credit.turn import turn_return
from agentrl.learning.losses import AGGREGATION
from agentrl.learning.segments import segment_count, segment_last, segment_position, segment_sum
from agentrl.train import prepare, weigh

NUM_TOKENS = 7  # in the vocabulary of the builder
EXPECTING = {"gae", "turn_gae"}  # compare with what a critic expects
GROUPLESS = {"reinforce", "reinforce_plus_plus", "spo"}  # compare with nobody, with the whole batch, or with the past
COMPARING = sorted(set(CREDIT) - GROUPLESS - EXPECTING)  # compare siblings
HARD_TO_PLEASE = {"dcpo", "ngrpo"}  # have something to say of a group that all earned the same
BY_TOKEN = {"aepo", "gae", "gtpo", "prime"}  # tell the tokens of a turn apart
OVER_THE_BATCH = {"aepo", "bnpo", "cppo", "d3s", "empg", "gpg", "spo"}  # scale by it, or choose from it
OVER_THE_BATCH |= {"reinforce_plus_plus", "reinforce_plus_plus_baseline"}
WITHIN_GROUPS = {  # what is left of those that also scale by the whole batch, when they do not
    "oprl": partial(CREDIT["oprl"], scale="none"),
    "prime": partial(CREDIT["prime"], scale="none", whitened=False),
    "treepo": partial(CREDIT["treepo"], whitened=False),
}

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


def recorded(batch: Batch) -> Batch:
    """The batch with what a sampler, and a curriculum with a memory, might say of it; likewise."""
    return_B = segment_sum(batch.reward_U, batch.trajectory_U, batch.num_trajectories)
    return replace(
        batch,
        entropy_T=torch.where(batch.action_T, 1 + torch.cos(2.0 * batch.token_T + batch.position_T).double(), 0),
        answer_B=(10 * return_B).round().long() + 100,
        prior_value_B=torch.full_like(return_B, 0.4),
        prior_mean_B=torch.full_like(return_B, 0.3),
        prior_std_B=torch.full_like(return_B, 0.5),
        prior_count_B=torch.full_like(return_B, 2.0),
    )


def annotated(batch: Batch) -> Batch:
    """The batch with what models might say of it, by its tokens alone, so that no order of packing changes it."""
    noise_T = torch.sin(3.0 * batch.token_T + batch.position_T).double()
    noise_U = segment_sum(noise_T, batch.turn_T, batch.num_turns)
    return replace(
        recorded(batch),
        value_T=torch.where(batch.action_T, 0.5 * noise_T.roll(1), 0),
        process_reward_T=torch.where(batch.action_T, 0.1 * noise_T, 0),
        information_gain_U=torch.where(segment_last(batch.trajectory_U), 0, 0.2 * noise_U),
        matched_U=noise_U > -0.5,
    )


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
    """The batch of one optimizer step, as the trainer is given it and then surveys it."""
    batch = annotated(batch)
    batch = replace(
        batch,
        reference_logprob_T=batch.sampled_logprob_T - 0.01 * batch.token_T,
        step_logprob_T=batch.sampled_logprob_T + 0.02 * torch.sin(5.0 * batch.token_T),
        old_logprob_T=batch.sampled_logprob_T + 0.3 * torch.sin(7.0 * batch.token_T) if row.correction else None,
    )
    batch = weigh(prepare(batch, row), row)
    return batch if row.survey is None else row.survey(batch)


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


@pytest.mark.parametrize("name", sorted(name for name, row in ALGORITHMS.items() if not row.needs_idle))
@ANY
@given(groups=GROUPS)
def test_dropping_idle_sequences_changes_no_gradient(tiny_batch, name, groups):
    row, policy = algorithm(name), Bigram()
    batch = graded(row, tiny_batch(groups))
    close(policy.step_gradient(row, split(drop_idle(batch), 30)), policy.step_gradient(row, [batch]))


@pytest.mark.parametrize("name", sorted(set(CREDIT) - OVER_THE_BATCH))
@ANY
@given(groups=GROUPS, other=GROUPS)
def test_credit_does_not_depend_on_other_groups(tiny_batch, name, groups, other):
    credit = WITHIN_GROUPS.get(name, CREDIT[name])
    alone_T = credit(annotated(tiny_batch(groups)))
    together_T = credit(annotated(tiny_batch([*groups, *other])))
    torch.testing.assert_close(together_T[: alone_T.numel()], alone_T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", sorted(CREDIT))
@ANY
@given(groups=GROUPS)
def test_only_sampled_tokens_get_credit_and_all_of_a_turn_the_same(tiny_batch, name, groups):
    batch = annotated(tiny_batch(groups))
    advantage_T = CREDIT[name](batch)
    assert not advantage_T[~batch.action_T].any()
    if name in BY_TOKEN:
        return
    mean_T = batch.turn_to_token(batch.token_to_turn(advantage_T))
    torch.testing.assert_close(advantage_T, mean_T, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", COMPARING)
@ANY
@given(trajectories=st.lists(st.lists(TURN, min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_group_of_one_gets_exactly_0(tiny_batch, name, trajectories):
    distinct = [[{**turn, "state_key": f"{b}.{u}"} for u, turn in enumerate(t)] for b, t in enumerate(trajectories)]
    batch = annotated(tiny_batch([[trajectory] for trajectory in distinct]))
    assert not CREDIT[name](batch).any()


@pytest.mark.parametrize("name", sorted(set(COMPARING) - HARD_TO_PLEASE))
@ANY
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=6), reward=st.sampled_from([0.0, 0.1, 1.1, -7.3]))
def test_a_group_without_spread_gets_exactly_0(tiny_batch, name, lengths, reward):
    group = [[{"reward": reward * (u == n - 1), "state_key": "s"} for u in range(n)] for n in lengths]
    assert not CREDIT[name](recorded(tiny_batch([group]))).any()


@ANY
@given(groups=GROUPS, order=st.randoms(use_true_random=False))
def test_the_credit_of_a_trajectory_does_not_depend_on_its_place(tiny_groups, groups, order: random.Random):
    built = tiny_groups(groups)
    shuffled = [replace(g, trajectories=tuple(order.sample(g.trajectories, len(g.trajectories)))) for g in built]
    order.shuffle(shuffled)
    batches = [annotated(double(pack(these))) for these in (built, shuffled)]
    ids = [[trajectory.id for group in these for trajectory in group.trajectories] for these in (built, shuffled)]
    for name, credit in CREDIT.items():
        pieces = [
            credit(batch).split(segment_count(batch.trajectory_T, batch.num_trajectories).tolist()) for batch in batches
        ]
        moved = dict(zip(ids[1], pieces[1], strict=True))
        for trajectory_id, piece in zip(ids[0], pieces[0], strict=True):
            assert torch.allclose(piece, moved[trajectory_id], rtol=0, atol=1e-10), name


@pytest.mark.parametrize("name", ["arpo", "bnpo", "gpg", "grpo", "grpo_s", "dr_grpo", "rloo"])
@ANY
@given(groups=GROUPS)
def test_the_credit_of_a_group_sums_to_0_over_its_trajectories(tiny_batch, name, groups):
    batch = tiny_batch([[[{**turn, "num_actions": 1} for turn in t] for t in group] for group in groups])
    first_U = segment_position(batch.trajectory_U) == 0
    advantage_B = batch.token_to_turn(CREDIT[name](recorded(batch)))[first_U]
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
