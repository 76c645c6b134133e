"""Curricula over categories of tasks: the bandit, the stages, and the bins that they draw from."""

from collections import Counter

import pytest

from agentrl.acting.curriculum.bandit import Bandit, mean_advantage
from agentrl.acting.curriculum.bins import Bins
from agentrl.acting.curriculum.stages import Stages
from agentrl.acting.suite import Tasks
from agentrl.errors import ConfigError
from agentrl.trajectory import Task

KINDS = ("easy", "middle", "hard")
TASKS = [Task(f"t{n}", n, {"difficulty": KINDS[n % 3], "steps": 1 + n % 12}) for n in range(36)]
SOLVED = {"easy": 8, "middle": 4, "hard": 0}


def category(task):
    return task.data["difficulty"]


def test_bins_draw_each_task_of_a_category_once_an_epoch_in_changing_orders():
    bins = Bins(TASKS, category=category, seed=1)
    epochs = [[bins.draw("easy").id for _ in range(12)] for _ in range(3)]
    assert {frozenset(epoch) for epoch in epochs} == {frozenset(f"t{n}" for n in range(0, 36, 3))}
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_bins_make_no_more_tasks_than_they_need():
    made = []

    def make(index):
        made.append(index)
        return Task(f"t{index}", index, {"difficulty": "rare" if index == 77 else "common"})

    bins = Bins(Tasks(make, 10_000), category=category, seed=2)
    for _ in range(10):
        bins.draw("common")
    assert len(made) <= 21  # each once to sort it, once to draw it
    with pytest.raises(ConfigError, match="No task is in 'rarer'; there are tasks in common, rare"):
        bins.require("rarer")
    assert [bins.draw("rare").id for _ in range(2)] == ["t77", "t77"]


def test_the_mean_advantage_by_hand():
    assert mean_advantage([1, 0, 0, 0]) == pytest.approx((0.75 + 3 * 0.25) / 4 / 0.5, rel=1e-5)
    assert mean_advantage([1, 0, 0, 0], std=False) == pytest.approx(0.375)
    assert mean_advantage([1]) == mean_advantage([1, 1]) == mean_advantage([0.3, 0.1 + 0.2]) == 0


def play(group_of, task):
    num = SOLVED[task.data["difficulty"]]
    return group_of(task, [1.0] * num + [0.0] * (8 - num))


def test_a_category_is_worth_the_running_mean_of_its_advantages(group_of):
    curriculum = Bandit(TASKS, rate=0.5, block_size=2, std=False)
    of = {name: play(group_of, next(task for task in TASKS if category(task) == name)) for name in KINDS}
    half = group_of(of["middle"].task, [1.0, 0.0, 0.0, 0.0])
    curriculum.select([of["middle"]])
    assert curriculum.state_dict()["values"] == {"easy": 0, "hard": 0, "middle": 0}  # the block is not full
    curriculum.select([half, of["easy"], of["hard"]])
    assert curriculum.state_dict()["values"]["middle"] == pytest.approx(0.5 * (0.5 + 0.375) / 2)
    curriculum.select([of["middle"], of["easy"]])
    assert curriculum.state_dict()["values"]["middle"] == pytest.approx(0.5 * 0.21875 + 0.5 * 0.5)
    assert curriculum.state_dict()["values"]["easy"] == 0


def test_categories_are_drawn_by_the_exponential_of_their_values(group_of):
    curriculum = Bandit(TASKS, temperature=0.5)
    curriculum.load_state_dict({**curriculum.state_dict(), "values": {"easy": 0.0, "hard": 0.5, "middle": 1.0}})
    drawn = Counter(category(curriculum.draw().task) for _ in range(6000))
    weights = {"easy": 1.0, "hard": 2.71828, "middle": 7.38906}
    for name, weight in weights.items():
        assert drawn[name] / 6000 == pytest.approx(weight / sum(weights.values()), abs=0.025)  # four standard errors


def test_the_bandit_comes_to_prefer_the_category_that_teaches(group_of):
    curriculum = Bandit(TASKS, temperature=0.2)
    shares = []
    for _ in range(40):
        tasks = [curriculum.draw().task for _ in range(16)]
        shares.append(sum(category(task) == "middle" for task in tasks) / 16)
        curriculum.select([play(group_of, task) for task in tasks])
    assert sum(shares[20:]) / 20 > 0.9


def test_the_category_may_be_a_function_named_by_its_module(tmp_path, monkeypatch):
    (tmp_path / "kinds_of_mine.py").write_text("def initial(task):\n    return task.data['difficulty'][0]\n")
    monkeypatch.syspath_prepend(tmp_path)
    curriculum = Bandit(TASKS, key="kinds_of_mine:initial")
    assert set(curriculum.state_dict()["values"]) == {"e", "m", "h"}


def test_stages_follow_each_other_when_they_are_mastered(group_of):
    curriculum = Stages(TASKS, stages=list(KINDS), threshold=0.75, window=4)
    drawn = []
    for number in range(24):
        task = curriculum.draw().task
        drawn.append(category(task))
        curriculum.select([group_of(task, [1.0, 1.0, float(number % 2 == 0), 0.0])])  # 0.75, 0.5, 0.75, ...
    assert set(drawn) == {"easy"}
    good = []
    for _ in range(9):
        task = curriculum.draw().task
        good.append(category(task))
        curriculum.select([group_of(task, [1.0, 1.0, 1.0, 0.0])])
    assert good == ["easy"] * 4 + ["middle"] * 4 + ["hard"]
    for _ in range(20):  # the last stage does not end
        curriculum.select([group_of(curriculum.draw().task, [1.0])])
    assert category(curriculum.draw().task) == "hard"


def test_stages_follow_each_other_after_so_many_groups(group_of):
    curriculum = Stages(TASKS, key="steps", stages=[3, 8, float("inf")], threshold=None, max_groups=5)
    steps = []
    for _ in range(15):
        task = curriculum.draw().task
        steps.append(task.data["steps"])
        curriculum.select([group_of(task, [0.0])])
    assert max(steps[:5]) <= 3 < min(steps[5:10])
    assert max(steps[5:10]) <= 8 < min(steps[10:])


def test_groups_of_an_earlier_stage_say_nothing_of_the_present_one(group_of):
    curriculum = Stages(TASKS, stages=list(KINDS), threshold=1.0, window=2)
    easy = group_of(TASKS[0], [1.0])
    curriculum.select([easy, easy, easy, easy])
    assert category(curriculum.draw().task) == "middle"


def test_tasks_of_no_stage_are_not_drawn(group_of):
    curriculum = Stages(TASKS, stages=["hard", "easy"], threshold=None, max_groups=3)
    drawn = []
    for _ in range(30):
        task = curriculum.draw().task
        drawn.append(category(task))
        curriculum.select([group_of(task, [1.0])])
    assert drawn == ["hard"] * 3 + ["easy"] * 27
