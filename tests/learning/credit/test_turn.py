from itertools import product

import pytest
import torch

from agentrl.learning.credit.outcome import grpo, reinforce, rloo
from agentrl.learning.credit.turn import turn_return
from agentrl.learning.segments import segment_mean, segment_position, segment_sum

# The agent may stop at once, for nothing, or go on; who goes on wins 1 or 0. The policy does either with probability
# 1/2, so that of the return 1/2 x 1/2 the derivative by the logit of going on, and by that of winning, is 1/8.
STOP, LOSE, WIN = [0.0], [0.0, 0.0], [0.0, 1.0]
SCORE = (-0.5,), (0.5, -0.5), (0.5, 0.5)  # derivative of each turn's log-probability by its logit


def expected_gradient(tiny_batch, credit, size):
    """The exact expectation, over all outcomes of a group, of the mean over its trajectories of the policy gradient."""
    outcomes = list(product(range(3), repeat=size))
    batch = tiny_batch([[(STOP, LOSE, WIN)[o] for o in outcome] for outcome in outcomes])
    chance_G = torch.tensor([0.5 ** sum(1 if o == 0 else 2 for o in outcome) for outcome in outcomes]).double()
    assert chance_G.sum() == 1
    score_U = torch.tensor([score for outcome in outcomes for o in outcome for score in SCORE[o]])
    advantage_U = batch.token_to_turn(credit(batch))
    number_U = segment_position(batch.trajectory_U)
    contribution_U = chance_G[batch.group_U] * advantage_U * score_U / size
    return segment_sum(contribution_U, number_U, 2).tolist()  # by the first turn's logit and by the second's


def normalised_rewards(batch):
    """What not to do: rewards normalised among the siblings' same turn, then summed up from each turn on."""
    number_U = segment_position(batch.trajectory_U)
    cell_U = 2 * batch.group_U + number_U
    relative_U = batch.reward_U - segment_mean(batch.reward_U, cell_U, 2 * batch.num_groups)[cell_U]
    total_B = segment_sum(relative_U, batch.trajectory_U, batch.num_trajectories)
    return batch.turn_to_token(torch.where(number_U == 0, total_B[batch.trajectory_U], relative_U))


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("credit", [turn_return, rloo, reinforce])
def test_the_gradient_is_unbiased_where_the_policy_chooses_when_to_stop(tiny_batch, credit, size):
    assert expected_gradient(tiny_batch, credit, size) == pytest.approx([0.125, 0.125], abs=1e-12)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_mean_that_includes_the_trajectory_itself_shrinks_the_gradient(tiny_batch, size):
    shrunk = 0.125 * (size - 1) / size
    got = expected_gradient(tiny_batch, lambda batch: grpo(batch, std=False), size)
    assert got == pytest.approx([shrunk, shrunk], abs=1e-12)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_rewards_normalised_turn_by_turn_would_lose_what_going_on_is_worth(tiny_batch, size):
    going_on, winning = expected_gradient(tiny_batch, normalised_rewards, size)
    assert going_on == pytest.approx(0.0, abs=1e-12)
    assert 0 < winning < 0.125


def test_turn_return_by_hand(tiny_batch):
    batch = tiny_batch([[[0.0, 1.0, 0.5], [2.0, 0.0], [0.25]], [[9.0, 9.0]]])
    # returns-to-go: 1.5 1.5 0.5 | 2 0 | 0.25 ; nobody else has a third turn: the others' last ones earned 0 and 0.25
    assert batch.token_to_turn(turn_return(batch)).tolist() == [0.375, 1.5, 0.375, 1.125, -1.5, -1.5, 0, 0]


def test_turn_return_discounts(tiny_batch):
    batch = tiny_batch([[[0.0, 1.0], [0.0, 0.0]]])
    assert batch.token_to_turn(turn_return(batch, discount=0.5)).tolist() == [0.5, 1, -0.5, -1]


def test_success_in_however_many_turns_is_no_difference(tiny_batch):
    batch = tiny_batch([[[1.0], [0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]])
    assert turn_return(batch).tolist() == [0.0] * batch.num_tokens
