import gc
import json
import math
import weakref
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from agentrl.acting.explore.branch import Branch, num_initial, wants_fork
from agentrl.errors import ConfigError

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "vectors" / "arpo_aepo_rollout.json").read_text())["cases"]
DECISIONS = [case for case in VECTORS if "decisions" in case["input"]]
BUDGETS = [case for case in VECTORS if "h_root" in case["input"]]


@pytest.mark.parametrize("case", DECISIONS, ids=lambda case: case["name"])
def test_decisions_are_those_of_the_official_code(case):
    is_aepo = case["algorithm"] == "aepo"
    decided = [
        wants_fork(
            one["u"] if is_aepo else 1 - one["u"],  # ARPO forks where its draw is small, AEPO where it is large
            one["entropy_now"] - one["entropy_init"],
            one["consecutive_branches"],
            weight=case["config"]["entropy_weight"],
            penalty=0.05 if is_aepo else 0.0,
        )
        for one in case["input"]["decisions"]
    ]
    assert decided == case["expected"]["branched"]
    assert len(set(decided)) == 2


@pytest.mark.parametrize("case", BUDGETS, ids=lambda case: case["name"])
def test_initial_numbers_are_those_of_the_official_code(case):
    size, beta = case["config"]["n"], case["config"]["sigmoid_coef"]
    pairs = zip(case["input"]["h_root"], case["input"]["h_step_list"], strict=True)
    found = [num_initial(size, root, sum(later) / len(later), beta=beta) for root, later in pairs]
    assert found == case["expected"]["initial_rollouts"]


def test_the_initial_number_stays_within_the_group():
    assert num_initial(8, 50.0, 0.0, beta=1.0) == 8
    assert num_initial(8, 0.0, 50.0, beta=1.0) == 1


def ids_before(turns):
    return [turn.context_ids + turn.action_ids for turn in turns]


async def test_a_group_has_its_size_and_forks_share_their_beginnings_token_by_token(counting):
    stage = counting.stage(counting.Saved, messages=(counting.add(1),))
    groups = await counting.collect(stage, Branch(initial=3), 4)
    num_forks = 0
    for group in groups:
        assert len(group.trajectories) == 8
        by_id = {trajectory.id: trajectory for trajectory in group.trajectories}
        assert len(by_id) == 8
        for trajectory in group.trajectories:
            origins = [turn.origin for turn in trajectory.turns if turn.origin]
            if not origins:
                continue
            num_forks += 1
            assert 0 < len(origins) < len(trajectory.turns)
            for number, (turn, origin) in enumerate(zip(trajectory.turns, origins, strict=False)):
                where, _, place = origin.rpartition("/")
                assert int(place) == number
                source = by_id[where].turns[number]
                assert replace(turn, origin=None) == replace(source, origin=None)
            sequence = next(trajectory.sequences())
            parent = next(by_id[origins[-1].rpartition("/")[0]].sequences())
            shared = sum(map(len, ids_before(trajectory.turns[: len(origins)])))
            assert sequence[:shared] == parent[:shared]
    assert num_forks > 4
    assert counting.Saved.num_restored >= num_forks


async def test_forks_need_no_snapshots(counting):
    by_snapshot, by_replay = [
        await counting.collect(counting.stage(environment, messages=(counting.add(1), counting.add(2))), Branch())
        for environment in (counting.Saved, counting.Count)
    ]
    assert told(by_snapshot) == told(by_replay)
    assert any(turn.origin for turn in by_replay[0].trajectories[-1].turns)


def told(groups):
    return [
        [(turn.message, turn.origin, turn.logprobs) for turn in trajectory.turns]
        for group in groups
        for trajectory in group.trajectories
    ]


async def test_the_same_seed_gives_the_same_groups_whatever_the_concurrency(counting):
    stage = counting.stage(counting.Saved)
    explorer = Branch(beta=0.5, penalty=0.05)
    first = await counting.collect(stage, explorer, 4, concurrency=64)
    second = await counting.collect(stage, explorer, 4, concurrency=2)
    other = await counting.collect(stage, explorer, 4, seed=1)
    assert told(first) == told(second) != told(other)


class Moods:
    """Dice that are as unsure in each turn as they are told to be, in shares of the largest entropy."""

    def __init__(self, dice, shares):
        self.dice, self.shares = dice, shares

    async def generate(self, prompt_ids, sampling, *, session=""):
        completion = await self.dice.generate(prompt_ids, sampling, session=session)
        turn = prompt_ids.count(self.dice.renderer.end_of_turn_id) // 2
        entropy = self.shares[turn] * math.log(self.dice.renderer.num_tokens)
        num = len(completion.ids)
        return replace(completion, entropies=(2 * entropy,) * (num // 2) + (0.0,) * (num // 2) + (entropy,) * (num % 2))

    def release(self, session):
        pass


async def fork_rates(counting, shares, **options):
    """How often one trajectory with these entropies is forked before each of its later turns."""
    stage = counting.stage(counting.Saved, messages=(counting.add(1),), max_turns=len(shares))
    stage = replace(stage, agent=replace(stage.agent, engine=Moods(stage.agent.engine, shares)))
    groups = await counting.collect(
        stage,
        Branch(initial=1, **options),
        200,
        group_size=len(shares),
        tasks=iter(list(stage.suite.tasks("train")) * 10),
    )
    counts = Counter()
    for group in groups:
        first = group.trajectories[0].id
        given = [[turn.origin for turn in one.turns if turn.origin] for one in group.trajectories]
        counts.update({len(origins) for origins in given if origins and origins[-1].startswith(first)})
    return [counts[number] / len(groups) for number in range(1, len(shares))]


async def test_a_rise_of_the_entropy_makes_a_fork_more_likely(counting):
    rates = await fork_rates(counting, [0.2, 0.2, 0.7, 0.0], weight=0.5)
    assert rates == pytest.approx([0.5, 0.75, 0.4], abs=0.1)
    assert await fork_rates(counting, [0.2, 1.0], weight=1.0) == [1.0]


async def test_forks_in_a_row_make_the_next_one_less_likely_on_that_path(counting):
    rates = await fork_rates(counting, [0.2] * 4, penalty=0.25)
    # One before: P(0.75 u >= 0.5) = 1/3; two: P(0.5 u >= 0.5) = 0; none: 1/2.
    second = 1 / 2 * 1 / 3 + 1 / 2 * 1 / 2
    third = (1 / 2 * 1 / 2) * 1 / 3 + (1 - second) * 1 / 2
    assert rates == pytest.approx([1 / 2, second, third], abs=0.1)


async def test_the_probe_is_one_of_the_group(counting):
    stage = counting.stage(messages=(counting.add(1),))
    (group,) = await counting.collect(stage, Branch(beta=0.5), 1, group_size=6)
    assert len({trajectory.id for trajectory in group.trajectories}) == 6


async def test_where_nothing_is_forked_the_group_is_filled_from_the_beginning(counting):
    stage = counting.stage(messages=(counting.add(6),))
    (group,) = await counting.collect(stage, Branch(), 1)
    assert [len(trajectory.turns) for trajectory in group.trajectories] == [1] * 8
    assert not any(turn.origin for trajectory in group.trajectories for turn in trajectory.turns)


async def test_no_state_is_kept_when_the_group_is_done(counting):
    kept = []

    class State:
        def __init__(self, count, target):
            self.count, self.target = count, target

    class Watched(counting.Saved):
        def snapshot(self):
            state = State(self.count, self.target)
            kept.append(weakref.ref(state))
            return state

        def restore(self, state):
            self.count, self.target = state.count, state.target

    groups = await counting.collect(counting.stage(Watched), Branch(), 3)
    gc.collect()
    assert len(kept) > 10
    assert [reference for reference in kept if reference() is not None] == []
    assert len(groups) == 3


def test_at_least_one_trajectory_starts_from_the_beginning():
    with pytest.raises(ConfigError, match="initial = 0"):
        Branch(initial=0)


async def test_an_engine_without_entropies_is_refused(counting):
    stage = counting.stage()
    generate = stage.agent.engine.generate

    async def bare(prompt_ids, sampling, *, session=""):
        return await generate(prompt_ids, replace(sampling, entropies=False), session=session)

    stage.agent.engine.generate = bare
    with pytest.raises(ConfigError, match="entropy of each token"):
        await counting.collect(stage, Branch(), 1)
