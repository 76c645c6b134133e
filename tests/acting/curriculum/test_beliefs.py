"""Curricula that remember how each task went: Thompson, VADE, value, intermediate, history."""

import json
from collections import Counter

import pytest

from agentrl.acting.curriculum.history import History
from agentrl.acting.curriculum.intermediate import Intermediate
from agentrl.acting.curriculum.table import make_curriculum
from agentrl.acting.curriculum.thompson import Thompson
from agentrl.acting.curriculum.vade import Vade, information
from agentrl.acting.curriculum.value import Value, remaining, starting_counts, uncertainty
from agentrl.trajectory import Group, Task

TASKS = [Task(f"t{n}", n) for n in range(300)]
RATES = (0.0, 0.5, 1.0)  # of the tasks, by their seed


def draw_all(curriculum, num):
    """Draw until each of so many tasks was drawn; by id, what was drawn last."""
    drawn = {}
    while len(drawn) < num:
        draw = curriculum.draw()
        drawn[draw.task.id] = draw
    return drawn


@pytest.fixture
def play(group_of):
    """Play a task of known success rate: four of eight, all or none."""

    def play(task: Task) -> Group:
        num = int(8 * RATES[task.seed % 3])
        return group_of(task, [1.0] * num + [0.0] * (8 - num))

    return play


def late_shares(curriculum, play, num_steps=60, size=16):
    """Of the draws of the second half, the share of each success rate."""
    drawn = Counter()
    for step in range(num_steps):
        tasks = [curriculum.draw().task for _ in range(size)]
        curriculum.select([play(task) for task in tasks])
        if step >= num_steps // 2:
            drawn.update(RATES[task.seed % 3] for task in tasks)
    return {rate: count / drawn.total() for rate, count in drawn.items()}


@pytest.mark.parametrize("name", ["mopps-n8-lam0.5", "mopps-n8-lam1.0"])
def test_the_official_posteriors_of_mopps_are_matched(name, vectors, group_of):
    stored = vectors("mopps")
    (case,) = [case for case in stored["cases"] if case["name"] == name]
    curriculum = Thompson(TASKS[:4], decay=case["config"]["decay"])
    draw_all(curriculum, 4)
    for number, rates in enumerate(case["input"]["updates"]):
        groups = [
            group_of(task, [1.0] * int(8 * rate) + [0.0] * int(8 * (1 - rate)))
            for task, rate in zip(TASKS[:4], rates, strict=True)
        ]
        curriculum.select(groups)
        expected = case["expected"]["alpha_beta_after_each"][number]
        wanted = enumerate(zip(expected["alpha"], expected["beta"], strict=True))
        assert curriculum.state_dict()["betas"] == {str(index): pytest.approx(pair) for index, pair in wanted}


def test_a_group_of_one_counts_as_one(group_of):
    curriculum = Thompson(TASKS[:1])
    curriculum.draw()
    curriculum.select([group_of(TASKS[0], [1.0])])
    assert curriculum.state_dict()["betas"] == {"0": [2.0, 1.0]}  # half of the prior, half of its renewal, one success


@pytest.mark.parametrize("strategy", ["topk", "threshold"])
@pytest.mark.parametrize("block_size", [1, 16])
def test_thompson_comes_to_prefer_tasks_that_are_solved_every_other_time(strategy, block_size, play):
    curriculum = Thompson(TASKS, strategy=strategy, block_size=block_size)
    assert late_shares(curriculum, play)[0.5] > 0.6
    assert late_shares(make_curriculum("uniform", TASKS), play)[0.5] < 0.4


def test_vade_prefers_hard_tasks_to_easy_ones_and_those_between_to_both(play):
    shares = late_shares(Vade(TASKS, drift=1.0), play)
    assert shares[0.5] > 0.5
    assert shares[0.0] > shares[1.0]
    assert max(range(101), key=lambda n: information(n / 100)) == 33


def test_what_vade_believes_fades_towards_the_prior_with_every_group(group_of):
    curriculum = Vade(TASKS[:2], decay=0.5, drift=0.5, block_size=1)
    draw_all(curriculum, 2)
    first, second = group_of(TASKS[0], [1.0] * 8), group_of(TASKS[1], [0.0] * 8)
    curriculum.select([first])
    assert curriculum.state_dict()["betas"] == {"0": [9.0, 1.0]}  # 0.5 * 1 + 0.5 * 1 + 8
    curriculum.select([second, second, first])
    # Three groups later, the last of them its own, its 8 beyond the prior are 2; half of 3, half of 1, and 8 more.
    assert curriculum.state_dict()["betas"] == {"0": [10.0, 1.0], "1": [1.0, 13.0]}


def test_a_tracked_value_by_hand(group_of):
    curriculum = Value(TASKS[:1], rho=0.5)
    values = []
    for rewards in ([1.0], [0.0], [1.0, 0.0, 1.0]):
        values.append(curriculum.draw().prior["value"])
        curriculum.select([group_of(TASKS[0], rewards)])
    values.append(curriculum.draw().prior["value"])
    # (0.5, 0.5) -> (1.25, 0.25) -> (0.625, 1.125) -> (2.3125, 1.5625)
    assert values == pytest.approx([0.5, 1.25 / 1.5, 0.625 / 1.75, 2.3125 / 3.875])


def test_values_are_in_the_units_of_the_reward(group_of):
    curriculum = Value(TASKS[:1], rho=0.0, reward_range=(-1.0, 3.0))
    assert curriculum.draw().prior["value"] == pytest.approx(1.0)
    curriculum.select([group_of(TASKS[0], [2.0, 0.0, 5.0, -7.0])])  # clipped: 2, 0, 3, -1
    assert curriculum.draw().prior["value"] == pytest.approx(1.0)
    curriculum.select([group_of(TASKS[0], [2.0])])
    assert curriculum.draw().prior["value"] == pytest.approx(2.0)


def test_the_share_that_remains_may_depend_on_the_group(group_of):
    asked = []

    def moved(group: Group) -> float:
        asked.append(group)
        return remaining(0.009)

    curriculum = Value(TASKS[:1], rho=moved)
    curriculum.draw()
    group = group_of(TASKS[0], [1.0])
    curriculum.select([group])
    kept = 2**-0.15  # 0.901
    assert asked == [group]
    assert curriculum.state_dict()["betas"] == {"0": pytest.approx([kept / 2 + 1, kept / 2])}
    assert remaining(0.0) == 0.96
    assert remaining(1.0) == 0.875


def test_what_a_function_says_of_the_share_is_held_within_the_official_bounds(group_of):
    for answer, kept in ((0.1, 0.875), (1.0, 0.96)):
        curriculum = Value(TASKS[:1], rho=lambda group, answer=answer: answer)
        curriculum.draw()
        curriculum.select([group_of(TASKS[0], [0.0])])
        assert curriculum.state_dict()["betas"] == {"0": pytest.approx([kept / 2, kept / 2 + 1])}


def test_the_official_start_of_a_value_is_matched(vectors, tmp_path):
    (case,) = [case for case in vectors("variants_retyped")["cases"] if case["name"] == "spo-init"]
    num, successes = case["input"]["n_offline"], case["input"]["successes"]
    wanted = (case["expected"]["alpha"], case["expected"]["beta"])
    assert starting_counts(successes, num) == pytest.approx(wanted, rel=1e-6)
    path = tmp_path / "offline.json"
    path.write_text(json.dumps({"t1": [1.0] * successes + [0.0] * (num - successes)}))
    drawn = draw_all(Value(TASKS[:2], offline=str(path)), 2)
    assert drawn["t1"].prior["value"] == pytest.approx(wanted[0] / sum(wanted))
    assert drawn["t0"].prior["value"] == 0.5


def test_tasks_are_drawn_with_the_weights_of_their_values(tmp_path):
    path = tmp_path / "offline.json"
    path.write_text(json.dumps({"t0": [0.0] * 40, "t1": [1.0, 0.0] * 20}))
    curriculum = Value(TASKS[:2], offline=str(path), num_candidates=2, block_size=1)
    weights = {task: uncertainty(draw.prior["value"]) for task, draw in draw_all(curriculum, 2).items()}
    assert weights["t1"] == pytest.approx(0.55)
    num = 4000
    share = sum(curriculum.draw().task.id == "t1" for _ in range(num)) / num
    assert share == pytest.approx(weights["t1"] / sum(weights.values()), abs=0.03)  # four standard errors


def test_a_value_prefers_uncertain_tasks(play):
    assert late_shares(Value(TASKS), play)[0.5] > 0.45


def test_intermediate_takes_the_candidates_nearest_to_the_target(group_of):
    curriculum = Intermediate(TASKS[:8], target=0.7, num_candidates=8, block_size=1)
    drawn = []
    for _ in range(50):
        task = curriculum.draw().task
        drawn.append(task.id)
        curriculum.select([group_of(task, [1.0] * task.seed + [0.0] * (8 - task.seed))])
    best = drawn[-1]
    assert set(drawn[-10:]) == {best}
    assert best in {"t5", "t6"}  # solved 5 or 6 times of 8: nearer than 1/2, which is what is predicted of the unknown
    assert drawn.index(best) == len(set(drawn)) - 1  # and nothing new is tried once it is known


def test_what_intermediate_predicts_by_hand(group_of):
    curriculum = Intermediate(TASKS[:1], rho=0.5)
    curriculum.draw()
    curriculum.select([group_of(TASKS[0], [1.0, 0.0, 0.0]), group_of(TASKS[0], [1.0, 0.3])])
    assert curriculum.state_dict()["betas"] == {"0": [1.625, 2.125]}  # (0.5, 0.5) -> (1.25, 2.25) -> (1.625, 2.125)


def test_intermediate_comes_to_prefer_tasks_that_are_solved_every_other_time(play):
    assert late_shares(Intermediate(TASKS), play)[0.5] > 0.6


def test_the_official_history_is_matched(vectors, group_of):
    stored = vectors("dcpo_clip")
    cases = [case for case in stored["cases"] if case["name"].startswith("sas-")]
    assert len(cases) == 3
    for case in cases:
        given, wanted = case["input"], case["expected"]
        curriculum = History(TASKS[:1])
        past = [given["times_seen_before"], given["old_mean"], given["old_std"]]
        curriculum.load_state_dict({"inner": {"num_drawn": 0}, "past": {"t0": past}})
        known = {"mean": given["old_mean"], "std": given["old_std"], "count": given["times_seen_before"]}
        assert curriculum.draw().prior == known
        curriculum.select([group_of(TASKS[0], given["rewards"])])
        known = {"mean": wanted["new_cum_mean"], "std": wanted["new_cum_std"], "count": past[0] + 1}
        assert curriculum.draw().prior == pytest.approx(known, rel=stored["tolerance"])


def test_history_adds_to_what_is_known_already():
    arguments = {"inner": {"name": "value", "block_size": 1}}
    prior = make_curriculum("history", TASKS, arguments=arguments).draw().prior
    assert prior == {"value": 0.5, "mean": 0.0, "std": 0.0, "count": 0.0}


def test_there_remains_a_choice_where_the_tasks_are_fewer_than_a_block(play):
    assert late_shares(Intermediate(TASKS[:12], num_candidates=4, block_size=16), play)[0.5] > 0.9


def test_groups_of_tasks_from_elsewhere_are_not_learnt_from(group_of):
    for curriculum in (Thompson(TASKS), Vade(TASKS), Value(TASKS), Intermediate(TASKS)):
        group = group_of(Task("another"), [1.0, 0.0])
        assert curriculum.select([group]) == [group]
        assert curriculum.state_dict()["betas"] == {}
