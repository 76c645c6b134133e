import random
from functools import partial
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.learning.credit.branch import arpo, branch_credit, decisions, treepo
from agentrl.learning.credit.outcome import grpo
from agentrl.learning.segments import segment_mean, segment_sum

ANY = settings(deadline=None, max_examples=40)

# A trajectory is the path of its decisions and its return. Paths with the same beginning share those decisions.
PATHS = st.lists(
    st.tuples(st.text("ab", min_size=1, max_size=3), st.sampled_from([-1.0, 0.0, 0.5, 2.0])), min_size=1, max_size=6
)


def build(tiny_batch, groups, num_actions=lambda decision: 1 + len(decision) % 3):
    """A decision is named by the path up to it; its tokens are the same wherever it stands."""
    built = []
    for g, paths in enumerate(groups):
        first: dict[str, str] = {}
        trajectories = []
        for b, (path, outcome) in enumerate(paths):
            turns = []
            for u in range(len(path)):
                decision = path[: u + 1]
                ids = tuple((len(decision) + ord(decision[-1]) + n) % 7 for n in range(num_actions(decision)))
                own = f"{g}.{b}/{u}"
                origin = first.setdefault(decision, own)
                turns.append(
                    {
                        "context_ids": (0,),
                        "action_ids": ids,
                        "logprobs": tuple(-0.1 - 0.1 * i for i in ids),
                        "origin": None if origin == own else origin,
                        "reward": outcome * (u == len(path) - 1),
                    }
                )
            trajectories.append(turns)
        built.append(trajectories)
    return tiny_batch(built)


def pull(batch, advantage_T):
    """By how much each decision's score counts in the gradient, if all tokens weigh the same and nothing is clipped."""
    decision_U = decisions(batch)
    sum_M = segment_sum(advantage_T, decision_U[batch.turn_T], batch.num_turns)
    length_M = segment_mean(torch.bincount(batch.turn_T[batch.action_T]).double(), decision_U, batch.num_turns)
    return (sum_M / length_M.clamp(min=1))[: int(decision_U.max()) + 1]


TREE = [("xa", 1.0), ("xb", 0.0), ("y", 0.5), ("z", 0.5)]


def test_arpo_by_hand(tiny_batch):
    batch = build(tiny_batch, [TREE])
    soft_U = batch.token_to_turn(arpo(batch, std=False))
    hard_U = batch.token_to_turn(arpo(batch, std=False, attribution="hard"))
    assert soft_U.tolist() == [0.5, 0.5, -0.5, -0.5, 0, 0]
    assert hard_U.tolist() == [0, 0.5, 0, -0.5, 0, 0]
    tilted = build(tiny_batch, [[("xa", 1.0), ("xb", 0.5), ("y", 0.0), ("z", 0.5)]])
    parts = branch_credit(tilted, std=False)
    assert parts.shared_U.tolist() == [0.25, 0.5, 0.25, 0, -0.5, 0]
    assert parts.num_copies_U.tolist() == [2, 1, 2, 1, 1, 1]
    hard_U = tilted.token_to_turn(arpo(tilted, std=False, attribution="hard"))
    assert hard_U.tolist() == [0.125, 0.5, 0.125, 0, -0.5, 0]


@ANY
@given(groups=st.lists(PATHS, min_size=1, max_size=3), std=st.booleans())
def test_a_shared_decision_counts_once_with_the_mean_of_its_trajectories_or_as_often_as_it_stands(
    tiny_batch, groups, std
):
    batch = build(tiny_batch, groups)
    own_U = batch.token_to_turn(grpo(batch, std=std))
    decision_U = decisions(batch)
    num = int(decision_U.max()) + 1
    hard = pull(batch, arpo(batch, std=std, attribution="hard"))
    torch.testing.assert_close(hard, segment_mean(own_U, decision_U, num))
    soft = pull(batch, arpo(batch, std=std))
    torch.testing.assert_close(soft, segment_sum(own_U, decision_U, num))
    copies_U = batch.token_to_turn(arpo(batch, std=std, attribution="hard"))
    torch.testing.assert_close(copies_U, segment_mean(copies_U, decision_U, num)[decision_U])


@ANY
@given(groups=st.lists(st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=1, max_size=4), min_size=1, max_size=3))
def test_where_nothing_is_shared_both_attributions_are_grpo(tiny_batch, groups):
    batch = tiny_batch([[[0.0, outcome] for outcome in group] for group in groups])
    for attribution in ("soft", "hard"):
        assert torch.equal(arpo(batch, attribution=attribution), grpo(batch))


@ANY
@given(groups=st.lists(PATHS, min_size=1, max_size=3), order=st.randoms(use_true_random=False))
def test_which_trajectory_is_called_the_first_of_those_that_share_a_decision_does_not_matter(
    tiny_batch, groups, order: random.Random
):
    places = [(g, b) for g, paths in enumerate(groups) for b in range(len(paths))]
    order.shuffle(places)
    shuffled = [[place for place in places if place[0] == g] for g in order.sample(range(len(groups)), len(groups))]
    batch = build(tiny_batch, groups)
    moved = build(tiny_batch, [[groups[g][b] for g, b in group] for group in shuffled])
    for credit in (arpo, partial(arpo, attribution="hard"), treepo, partial(treepo, weighted_by="size")):
        pieces, moved_pieces = (
            credit(x).split(torch.bincount(x.trajectory_T, minlength=len(places)).tolist()) for x in (batch, moved)
        )
        moved_to = dict(zip([place for group in shuffled for place in group], moved_pieces, strict=True))
        for place, piece in zip(sorted(places), pieces, strict=True):
            torch.testing.assert_close(moved_to[place], piece, rtol=0, atol=1e-9)


def test_a_copy_that_is_not_trained_on_leaves_its_share_to_the_others(tiny_batch):
    shared = {"action_ids": (1,), "logprobs": (-0.1,)}
    group = [
        [shared, {"reward": 1.0}],
        [shared | {"origin": "0.0/0", "sampled": False}, {"reward": 0.5}],
        [0.0],
    ]
    batch = tiny_batch([group])
    hard_U = batch.token_to_turn(arpo(batch, std=False, attribution="hard"))
    assert hard_U.tolist() == pytest.approx([0.25, 0.5, 0, 0, -0.5])


# A game: stop at once, for nothing, or go on; who goes on wins 1 or 0. Each with probability 1/2, so that of the return
# the derivative by the logit of going on is 1/8, and by that of winning 1/8. The group holds what may happen in exact
# proportion, so that sums over it, by the number of starts, are expectations.
SCORE = {"s": -0.5, "g": 0.5, "l": -0.5, "w": 0.5}  # derivative of the decision's log-probability by its logit


def game(num_branches):
    """The paths of starts: as many stop as go on; those that go on are branched, with all outcomes there are."""
    outcomes = list(product("lw", repeat=num_branches))
    stopped = [(f"s{n}", 0.0) for n in range(len(outcomes))]
    went_on = [
        ((f"g{n}", f"{end}{n}.{branch}"), float(end == "w"))
        for n, ends in enumerate(outcomes)
        for branch, end in enumerate(ends)
    ]
    return len(stopped) * 2, [((path,), outcome) for path, outcome in stopped] + went_on


def derivatives(tiny_batch, num_branches, attribution):
    num_starts, paths = game(num_branches)
    first: dict[str, str] = {}
    trajectories = []
    for b, (path, outcome) in enumerate(paths):
        turns = []
        for u, decision in enumerate(path):
            origin = first.setdefault(decision, f"0.{b}/{u}")
            turns.append({"origin": origin, "reward": outcome * (u == len(path) - 1)})
        trajectories.append(turns)
    batch = tiny_batch([trajectories])
    score_U = torch.tensor([SCORE[decision[0]] for path, _ in paths for decision in path]).double()
    gradient_U = score_U * batch.token_to_turn(arpo(batch, std=False, attribution=attribution)) / num_starts
    is_first_U = torch.tensor([u == 0 for path, _ in paths for u in range(len(path))])
    return float(gradient_U[is_first_U].sum()), float(gradient_U[~is_first_U].sum())


@pytest.mark.parametrize("num_branches", [1, 2, 3])
def test_however_often_what_follows_is_branched_hard_attribution_gives_the_first_decision_its_gradient(
    tiny_batch, num_branches
):
    going_on, winning = derivatives(tiny_batch, num_branches, "hard")
    assert going_on == pytest.approx(1 / 8)
    assert winning == pytest.approx(num_branches / 8)  # that state is learnt from as often as it was sampled


@pytest.mark.parametrize("num_branches", [2, 3])
def test_soft_attribution_weighs_the_first_decision_by_its_branches(tiny_batch, num_branches):
    going_on, winning = derivatives(tiny_batch, num_branches, "soft")
    mean = num_branches / (2 * (1 + num_branches))
    assert going_on == pytest.approx(mean / 4 + num_branches * (0.5 - mean) / 4)
    assert going_on > 1.3 / 8
    assert winning == pytest.approx(num_branches / 8)


def test_the_official_subtree_advantages_are_matched(tiny_batch, vectors, agree):
    stored = vectors("treepo")
    assert len(stored["cases"]) == 4
    for case in stored["cases"]:
        groups: dict[str, list] = {}
        lengths: dict[str, int] = {}
        for trajectory in case["input"]["trajectories"]:
            path = "".join(chr(ord("a") + node) for node in trajectory["nodes"])
            groups.setdefault(trajectory["group_id"], []).append((path, trajectory["reward"]))
            for u, num_tokens in enumerate(trajectory["tokens_per_node"]):
                lengths[path[u]] = num_tokens
        batch = build(tiny_batch, list(groups.values()), num_actions=lambda path, lengths=lengths: lengths[path[-1]])
        weighted_by = {"average": "average", "group_size": "size"}[case["config"]["adv_weight_strategy"]]
        for name, whitened in (("before_whitening", False), ("advantage", True)):
            advantage_T = treepo(batch, weighted_by=weighted_by, whitened=whitened)
            expected_B = torch.tensor(case["expected"][name])
            agree(advantage_T, batch.turn_to_token(expected_B[batch.trajectory_U]), stored["tolerance"])


def test_treepo_by_hand(tiny_batch):
    batch = build(tiny_batch, [TREE])  # returns 1, 0, 0.5, 0.5; the first two share a decision
    assert batch.token_to_turn(treepo(batch, whitened=False)).tolist() == [0.5, 0.5, -0.5, -0.5, 0, 0]
    lopsided = build(tiny_batch, [[("xa", 1.0), ("xb", 0.8), ("y", 0.0)]])
    by_average, by_size = (
        lopsided.token_to_turn(treepo(lopsided, whitened=False, weighted_by=way)).tolist()
        for way in ("average", "size")
    )
    assert by_average == pytest.approx([0.25, 0.25, 0.05, 0.05, -0.6])
    assert by_size == pytest.approx([(3 * 0.4 + 2 * 0.1) / 5] * 2 + [(3 * 0.2 - 2 * 0.1) / 5] * 2 + [-0.6])


@ANY
@given(groups=st.lists(PATHS, min_size=1, max_size=3), shift=st.sampled_from([-3.0, 0.1]))
def test_treepo_does_not_depend_on_what_all_returns_have_in_common(tiny_batch, groups, shift):
    shifted = [[(path, outcome + shift) for path, outcome in group] for group in groups]
    for weighted_by in ("average", "size"):
        left, right = (treepo(build(tiny_batch, these), weighted_by=weighted_by) for these in (groups, shifted))
        torch.testing.assert_close(left, right, rtol=0, atol=1e-6)


@ANY
@given(other=st.lists(PATHS, min_size=1, max_size=2), outcome=st.sampled_from([0.0, 1.1]))
def test_groups_of_one_and_without_spread_get_exactly_0_whatever_they_share(tiny_batch, other, outcome):
    silent = [[("ab", outcome)], [("aa", outcome), ("ab", outcome), ("b", outcome)]]
    batch = build(tiny_batch, [*silent, *other])
    for advantage_T in (arpo(batch), arpo(batch, attribution="hard"), treepo(batch), treepo(batch, whitened=False)):
        assert not advantage_T[batch.group_B[batch.trajectory_T] < 2].any()
