"""The generated tasks, and those that a user gives."""

import json

import pytest

from agentrl.errors import ConfigError
from agentrl.trajectory import Task
from agentrl_environments.planner import suite
from agentrl_environments.planner.difficulty import DIFFICULTIES, Difficulty
from agentrl_environments.planner.questions import TOOLS_OF_KIND, Kind
from agentrl_environments.planner.tasks import NUM_TASKS, check_task, generate, given_splits, split_of
from agentrl_environments.planner.worlds import PEOPLE, TOWNS

NAMES = pytest.mark.parametrize("name", list(DIFFICULTIES))


@NAMES
def test_a_task_is_the_same_whenever_it_is_asked_for_and_its_seed_is_all_it_is_made_of(name):
    tasks, again = (suite(name).tasks("train") for _ in range(2))
    for index in (0, 1, 99_999):
        assert tasks[index] == again[index]
        assert tasks[index].data == generate(tasks[index].seed, DIFFICULTIES[name])
    json.dumps(tasks[0].data)


def test_the_worlds_stay_as_they_are():
    task = suite().tasks("test")[0]
    assert (task.id, task.seed) == ("planner-standard-test-0", 4242739044481)
    assert task.data["question"] == "What is the distance of the town where Pavel lives?"
    assert task.data["answer"] == "5 km"


@NAMES
def test_no_task_is_in_two_splits(name):
    splits = suite(name).splits
    assert {split: len(tasks) for split, tasks in splits.items()} == NUM_TASKS
    seen = {}
    for split, tasks in splits.items():
        for task in tasks[:100]:
            assert split_of(task.data) == split
            assert seen.setdefault(json.dumps(task.data, sort_keys=True), split) == split
    assert len(seen) == 300


@NAMES
def test_every_kind_comes_up_and_needs_the_tools_that_are_said(name):
    drawn = {}
    for seed in range(200):
        data = generate(seed, DIFFICULTIES[name])
        drawn.setdefault(data["kind"], []).append(data)
    assert set(drawn) == set(DIFFICULTIES[name].kinds)
    for kind, entries in drawn.items():
        assert len(entries) > 10
        for data in entries:
            assert {tool for tool, _ in data["steps"]} == set(TOOLS_OF_KIND[Kind(kind)])
            assert 2 <= len(data["steps"]) <= 4
            assert data["answered_by"] == data["steps"][-1][0]


@NAMES
def test_the_question_names_what_is_looked_up_first_and_not_what_is_found(name):
    for seed in range(100):
        data = generate(seed, DIFFICULTIES[name])
        tool, sub_goal = data["steps"][0]
        assert sub_goal.split(",")[0] in data["question"]
        if tool == "directory":
            assert data["steps"][1][1].split(",")[0] not in data["question"]
        assert data["answer"] not in data["question"]


def test_compact_worlds_are_small():
    data = generate(0, DIFFICULTIES["quick"])
    assert set(data["directory"].values()) <= set(data["table"]) <= set(TOWNS)
    assert set(data["directory"]) <= set(PEOPLE)
    assert all(set(cells) == {"distance", "height", "age"} for cells in data["table"].values())
    assert DIFFICULTIES["quick"].tools == ("directory", "table", "convert")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"max_steps": 0}, "1 step or more"),
        ({"max_steps": 3, "max_seconds": 0.0}, "and time"),
        ({"max_steps": 3, "num_towns": 13}, "2 to 12"),
        ({"max_steps": 3, "kinds": ()}, "it may ask home"),
        ({"max_steps": 3, "kinds": (Kind.TRIAL,), "is_compact": True}, "it may ask home, converted, home_converted"),
    ],
)
def test_a_difficulty_that_cannot_be_is_refused(fields, complaint):
    with pytest.raises(ConfigError, match=complaint):
        Difficulty(name="own", **fields)


def test_own_tasks_are_those_of_train_or_of_the_splits_that_are_named(tmp_path):
    task = Task("own", 0, {"question": "?", "answer": "!"})
    path = tmp_path / "tasks.jsonl"
    path.write_text('{"question": "How far?", "answer": "12 km", "id": "a"}\n')
    assert given_splits([task]) == {"train": [task]}
    splits = given_splits({"train": [task], "test": path})
    assert [entry.data for entry in splits["test"]] == [{"question": "How far?", "answer": "12 km"}]
    assert suite(tasks=str(path)).tasks("train")[0].id == "a"


@pytest.mark.parametrize("given", [[], {"train": []}, "nowhere.jsonl"])
def test_no_tasks_are_a_mistake(given):
    with pytest.raises(ConfigError):
        suite(tasks=given)


@pytest.mark.parametrize("data", [{}, {"question": "How far?"}, {"answer": "12 km"}])
def test_a_task_without_question_or_answer_is_a_mistake(data):
    with pytest.raises(ConfigError, match="A task of planner is"):
        check_task(Task("own", 0, data))


def test_an_answer_of_nothing_is_one():
    check_task(Task("own", 0, {"question": "How many?", "answer": 0}))
