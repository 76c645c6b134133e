"""Reading the problems of real games."""

import pytest

from agentrl.errors import ConfigError
from agentrl_environments.household.alfworld import parse_problem
from agentrl_environments.household.house import Goal, Kind, Treatment


def test_a_problem_becomes_receptacles_things_and_what_fits_where(house):
    cabinet = house.receptacles[0]
    assert (cabinet.name, cabinet.type, cabinet.openable, cabinet.opened) == ("cabinet 2", "cabinet", True, False)
    assert cabinet.location == house.receptacles[1].location
    assert [thing.name for thing in house.things] == ["apple 1", "butterknife 1", "desklamp 1", "mug 2", "mug 1"]
    mug = house.things[4]
    assert mug.treatable == set(Treatment)
    assert mug.is_cool
    assert mug.contents == ()
    assert not house.things[2].portable
    assert house.fits["countertop"] == {"mug", "apple"}


def test_a_basin_is_named_after_its_id_and_typed_as_the_problem_says(problem):
    text = problem().replace("Sink_bar_1_bar_SinkBasin", "Bathtub_bar_1_bar_SinkBasin")
    basin = next(place for place in parse_problem(text, ".").receptacles if "basin" in place.name)
    assert (basin.name, basin.type) == ("bathtubbasin 1", "sinkbasin")


@pytest.mark.parametrize("kind", list(Kind))
def test_the_kind_of_the_goal_is_read_from_its_condition(problem, kind):
    goal = parse_problem(problem(kind.value), ".").goal
    assert goal == Goal(kind=kind, thing="mug", target="desklamp" if kind is Kind.LIGHT else "sidetable")


def test_the_kinds_of_real_goals_are_those_in_their_names(real_games):
    for entry in real_games[::7]:
        kind, thing, _, target, _ = entry["task_id"].split("-")
        goal = parse_problem(entry["problem"], entry["task"]).goal
        assert goal.kind.value == kind
        assert goal.thing == thing.lower()
        assert goal.kind is Kind.LIGHT or goal.target == target.lower()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("", "(:init"), ("(:goal ) (:init )", "(:init"), ("(:init ) (:goal (and))", "two types")],
)
def test_what_is_no_problem_is_refused_with_what_was_expected(text, complaint):
    with pytest.raises(ConfigError) as caught:
        parse_problem(text, ".")
    assert complaint in str(caught.value)
