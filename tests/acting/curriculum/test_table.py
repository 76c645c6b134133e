"""What every curriculum must hold, alone and around another: resumed runs, few tasks, hopeless tasks."""

import inspect
import json
import random
from dataclasses import replace
from itertools import islice

import pytest

from agentrl.acting.collect import Collector
from agentrl.acting.curriculum import Draw, Uniform, uniform
from agentrl.acting.curriculum.table import CURRICULA, make_curriculum
from agentrl.acting.plan import Plan
from agentrl.acting.suite import Tasks
from agentrl.errors import ConfigError
from agentrl.trajectory import Group, Task

KINDS = ("easy", "middle", "hard")
TASKS = [Task(f"t{n}", n, {"difficulty": KINDS[n % 3]}) for n in range(60)]
NESTED = {
    "dynamic of history of thompson": {"inner": {"name": "history", "inner": {"name": "thompson", "block_size": 4}}},
    "history of keep_top of knapsack": {"inner": {"name": "keep_top", "inner": "knapsack"}},
    "intact of dynamic of bandit": {"inner": {"name": "dynamic", "inner": {"name": "bandit", "block_size": 3}}},
}
EVERY = pytest.mark.parametrize("case", [*CURRICULA, *NESTED])


def made(case, tasks=TASKS, seed=3):
    """The curriculum called so, or the nested one."""
    needed = {"stages": list(KINDS[: len(tasks)]), "window": 4} if case == "stages" else {}
    return make_curriculum(case.split()[0], tasks, seed=seed, arguments=NESTED.get(case, needed))


@pytest.fixture
def play(group_of):
    """Play a draw: how it goes depends on its task and on when that was, alone."""

    def play(draw: Draw, step: int) -> Group:
        rng = random.Random(f"{draw.task.id}/{step}")
        chance = (0.9, 0.5, 0.1)[draw.task.seed % 3]
        return group_of(draw.task, [float(rng.random() < chance) for _ in range(draw.group_size or 8)])

    return play


def advance(curriculum, play, steps):
    """What is drawn and what is kept in these steps, learning in pieces of different sizes."""
    record = []
    for step in steps:
        draws = [curriculum.draw() for _ in range(1 + step % 5)]
        kept = curriculum.select([play(draw, step) for draw in draws])
        record.append((draws, [group.task.id for group in kept]))
    return record


@EVERY
def test_a_resumed_curriculum_draws_and_keeps_what_the_first_would_have(case, play):
    first = made(case)
    advance(first, play, range(30))
    state = json.loads(json.dumps(first.state_dict()))
    resumed = made(case)
    resumed.load_state_dict(state)
    after = advance(first, play, range(30, 70))
    assert advance(resumed, play, range(30, 70)) == after
    assert any(draw.task.id != "t0" for draws, _ in after for draw in draws)


@EVERY
def test_draws_follow_from_the_seed_and_the_groups(case, play):
    record = advance(made(case), play, range(20))
    assert advance(made(case), play, range(20)) == record
    assert advance(made(case, seed=4), play, range(20)) != record


@EVERY
def test_a_state_does_not_change_when_the_curriculum_goes_on(case, play):
    curriculum = made(case)
    advance(curriculum, play, range(10))
    state = curriculum.state_dict()
    before = json.dumps(state)
    advance(curriculum, play, range(10, 20))
    assert json.dumps(state) == before


@EVERY
@pytest.mark.parametrize("num_tasks", [1, 2, 3])
def test_few_tasks_are_drawn_again_and_again(case, num_tasks, play):
    drawn = [draw.task.id for draws, _ in advance(made(case, TASKS[:num_tasks]), play, range(40)) for draw in draws]
    expected = {task.id for task in TASKS[:num_tasks]}
    assert set(drawn) == (expected if case != "stages" else expected - {"t2"})  # the second stage is never mastered


@EVERY
@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_tasks_that_are_always_or_never_solved_do_not_hang_a_run(case, reward, group_of):
    curriculum = made(case)
    num_kept = num_drawn = 0
    while num_kept < 64:
        draw = curriculum.draw()
        num_kept += len(curriculum.select([group_of(draw.task, [reward] * (draw.group_size or 8))]))
        num_drawn += 1
        assert num_drawn < 1000


@EVERY
def test_groups_of_one_and_without_scored_trajectories_are_borne(case, group_of):
    curriculum = made(case)
    for number in range(40):
        draw = curriculum.draw()
        curriculum.select([group_of(draw.task, [1.0] * (number % 2))])


@pytest.mark.parametrize("name", sorted(set(CURRICULA) - {"bandit", "stages"}))
def test_only_tasks_that_are_drawn_are_made(name, play):
    made_tasks: list[int] = []

    def make(index: int) -> Task:
        made_tasks.append(index)
        return TASKS[index % 3]

    curriculum = make_curriculum(name, Tasks(make, 10_000))
    for step in range(50):
        curriculum.select([play(curriculum.draw(), step)])
    assert len(made_tasks) == 50


@EVERY
@pytest.mark.parametrize("reward", [None, 1.0])
async def test_a_collector_goes_on_with_what_is_drawn_and_kept(case, reward, trajectory_of):
    async def play(start):
        drawn = float(random.Random(start.seed).random() < 0.5)
        return replace(trajectory_of(start.task, drawn if reward is None else reward), id=start.trajectory_id)

    version = 0
    plan = Plan(group_size=8, groups_per_step=4, concurrency=64)
    async with Collector(play, made(case), plan, version=lambda: version) as collector:
        while version < 4:
            groups = await collector.collect(4)
            version += 1
            assert len(groups) == 4
            assert all(("mean" in group.prior) == ("history" in case) for group in groups)
            assert "knapsack" in case or {len(group.trajectories) for group in groups} == {8}


@EVERY
def test_there_must_be_tasks(case):
    arguments = {"stages": ["easy"]} if case == "stages" else NESTED.get(case)
    with pytest.raises(ConfigError, match="There are no tasks"):
        make_curriculum(case.split()[0], [], arguments=arguments)


def test_uniform_has_the_order_of_the_generator_and_ends_after_its_epochs():
    curriculum = Uniform(TASKS, seed=5, epochs=2)
    expected = list(islice(uniform(TASKS, seed=5), 120))
    assert [curriculum.draw().task for _ in range(120)] == expected
    assert sorted(task.id for task in expected[:60]) == sorted(task.id for task in TASKS)
    assert curriculum.draw() is None
    assert curriculum.draw() is None


@pytest.mark.parametrize("name", ["dynamic", "keep_top", "intact", "history"])
def test_what_goes_around_another_ends_when_that_does(name):
    inner = {"name": "uniform", "epochs": 1}
    curriculum = make_curriculum(name, TASKS, seed=5, arguments={"inner": inner})
    drawn = [curriculum.draw() for _ in range(61)]
    assert [draw.task for draw in drawn[:60]] == list(islice(uniform(TASKS, seed=5), 60))
    assert drawn[60] is None
    assert make_curriculum(name, TASKS, seed=5, arguments={"inner": "uniform"}).draw() == drawn[0]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("thomson", {}, "no curriculum 'thomson'. Did you mean 'thompson'"),
        ("thompson", {"decy": 0.1}, "takes no argument 'decy'. Did you mean 'decay'"),
        ("thompson", {"decay": "much"}, "decay = 'much'"),
        ("thompson", {"decay": 1.5}, "decay must be in"),
        ("thompson", {"strategy": "best"}, "strategy = 'best'"),
        ("thompson", {"band": [0.7, 0.3]}, "band must be"),
        ("thompson", {"num_candidates": 0}, "at least 1"),
        ("vade", {"drift": 2.0}, "drift must be"),
        ("value", {"rho": -1.0}, "rho must be"),
        ("value", {"rho": "no_such_module:f"}, "nothing that can be imported"),
        ("value", {"reward_range": [1.0, 1.0]}, "reward_range must be"),
        ("value", {"offline": "/no/such/file"}, "no file of rewards"),
        ("intermediate", {"target": 2.0}, "target and rho"),
        ("knapsack", {"smallest": 9}, "smallest <= mean_size"),
        ("bandit", {"key": "colour"}, "no 'colour' in its data; it has difficulty"),
        ("bandit", {"temperature": 0.0}, "temperature > 0"),
        ("stages", {}, "it is empty"),
        ("stages", {"stages": "easy"}, "stages = 'easy'"),
        ("stages", {"stages": ["easy", 3]}, "words, or numbers"),
        ("stages", {"stages": [8, 3]}, "ascending"),
        ("stages", {"stages": ["easy", "absurd"]}, "No task is in 'absurd'; there are tasks in easy, no stage"),
        ("stages", {"stages": ["easy"], "threshold": None}, "needs a threshold or max_groups"),
        ("stages", {"stages": ["easy"], "window": 0}, "window must be"),
        ("dynamic", {"inner": {"decay": 0.1}}, "inner must be a name"),
        ("dynamic", {"inner": {"name": "thompson", "decy": 1}}, "takes no argument 'decy'"),
        ("dynamic", {"max_left_out": 0}, "max_left_out must be"),
        ("keep_top", {"share": 0.0}, "share must be"),
        ("uniform", {"epochs": 0}, "epochs must be"),
        ("no_such_module:Mine", {}, "nothing that can be imported"),
    ],
)
def test_a_wrong_description_is_named(name, arguments, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        make_curriculum(name, TASKS, arguments=arguments)


def test_a_curriculum_of_ones_own_is_named_by_its_module():
    curriculum = make_curriculum(f"{Uniform.__module__}:Uniform", TASKS, seed=1, arguments={"epochs": 1})
    assert isinstance(curriculum, Uniform)


def test_each_says_where_it_is_from_and_how_it_was_checked():
    for name, curriculum in CURRICULA.items():
        text = inspect.getdoc(curriculum) or ""
        if curriculum is not Uniform:
            for section in ("Source:", "Differs:", "Checked:"):
                assert section in text, (name, section)
