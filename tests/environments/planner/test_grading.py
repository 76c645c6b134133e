"""What counts as the right answer."""

from itertools import pairwise

import pytest

from agentrl.trajectory import Task
from agentrl_environments.planner.difficulty import DIFFICULTIES
from agentrl_environments.planner.grading import accepted, grade
from agentrl_environments.planner.tasks import generate


def worth(said, right):
    return grade(said, Task("t", 0, {"question": "?", "answer": right}))


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("12000 m", "12000 m"),
        ("12,000 m.", "12000 m"),
        ("12000m", "12000 m"),
        ("12000.0 m", "12000 m"),
        ("The town lies 12,000 m from the coast.", "12000 m"),
        ("Mira lives in Tarn, 12 km away.\nAnswer: 12000 m", "12000 m"),
        ("ANSWER: **12000 m**", "12000 m"),
        ("2100", "2100"),
        ("2,100 inhabitants", "2100"),
        ("-3", "-3"),
        ("0.30", "0.3"),
        ("It ended on 2021-06-03.", "2021-06-03"),
        ("tarn", "Tarn"),
        ("Wey", ["Tarn", "Wey"]),
        (7, 7),
    ],
)
def test_the_right_answer_is_taken_in_many_forms(said, right):
    assert worth(str(said), right) == 1.0


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("", "12000 m"),
        ("12000", "12000 m"),
        ("12000 km", "12000 m"),
        ("12 km", "12000 m"),
        ("12000 m or 3000 m", "12000 m"),
        ("12000 m\nAnswer: 3000 m", "12000 m"),
        ("Answer:", "12000 m"),
        ("12000,5 m", "12000 m"),
        ("2100 or 2101", "2100"),
        ("3", "-3"),
        ("2021-06-03 or 2021-06-04", "2021-06-03"),
        ("2021-06-03", "2021"),
        ("Tarn or Wey", "Tarn"),
        ("inf", "12000 m"),
    ],
)
def test_a_wrong_or_hedged_answer_is_not(said, right):
    assert worth(said, right) == 0.0


@pytest.mark.parametrize("name", list(DIFFICULTIES))
def test_every_generated_answer_is_taken_and_the_next_task_s_is_not(name):
    tasks = [Task(str(seed), seed, generate(seed, DIFFICULTIES[name])) for seed in range(100)]
    for task, other in pairwise(tasks):
        (right,) = accepted(task)
        assert grade(right, task) == 1.0
        assert grade(f"So it is {right}.", task) == 1.0
        assert (grade(right, other) == 1.0) == (accepted(other) == [right])
