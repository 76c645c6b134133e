"""The rules, one by one, on the small hand-written game."""

import random

import pytest

from agentrl_environments.household.alfworld import parse_problem
from agentrl_environments.household.engine import NOTHING, Game
from agentrl_environments.household.house import Kind


def after(game: Game, *commands: str) -> str:
    """The observation after the last of the commands."""
    observation = ""
    for command in commands:
        observation = game.step(command)
    return observation


def test_the_intro_lists_receptacles_in_the_order_of_ids_with_numbers_counting_down(game):
    assert game.intro() == (
        "-= Welcome to TextWorld, ALFRED! =-\n\nYou are in the middle of a room. Looking quickly around you, you see a "
        "cabinet 2, a cabinet 1, a countertop 1, a fridge 1, a microwave 1, a sidetable 1, and a sinkbasin 1.\n\n"
        "Your task is to: put a mug in sidetable."
    )


def test_at_the_start_one_can_only_go_somewhere_and_look_about(game):
    assert game.admissible == [
        "go to cabinet 1", "go to cabinet 2", "go to countertop 1", "go to fridge 1", "go to microwave 1",
        "go to sidetable 1", "go to sinkbasin 1", "help", "inventory", "look",
    ]  # fmt: skip
    assert game.step("look") == "You are in the middle of a room. Looking quickly around you, you see nothing."


def test_arriving_tells_what_is_on_a_receptacle_in_the_order_of_ids(game):
    assert game.step("go to countertop 1") == (
        "You arrive at countertop 1. On the countertop 1, you see a apple 1, a butterknife 1, and a mug 2."
    )
    assert game.step("go to sinkbasin 1") == "You arrive at sinkbasin 1. On the sinkbasin 1, you see nothing."


def test_two_receptacles_at_one_place_are_both_at_hand_and_neither_can_be_gone_to(game):
    assert game.step("go to cabinet 2") == "You arrive at cabinet 2. The cabinet 2 is closed."
    assert [c for c in game.admissible if "cabinet" in c] == [
        "examine cabinet 1", "examine cabinet 2", "open cabinet 1", "open cabinet 2",
    ]  # fmt: skip
    assert game.step("look") == "You are facing the cabinet 2, and cabinet 1. Next to it, you see nothing."


def test_opening_shows_what_is_inside_and_closing_hides_it(game):
    assert after(game, "go to cabinet 2", "open cabinet 2") == (
        "You open the cabinet 2. The cabinet 2 is open. In it, you see a mug 1."
    )
    assert "take mug 1 from cabinet 2" in game.admissible
    assert after(game, "close cabinet 2") == "You close the cabinet 2."
    assert "take mug 1 from cabinet 2" not in game.admissible
    assert game.step("examine cabinet 2") == "The cabinet 2 is closed."


def test_what_is_not_admissible_changes_nothing(game):
    before = game.snapshot()
    for command in ("take mug 1 from cabinet 2", "go to nowhere 1", "GO TO FRIDGE 1", "open fridge 1", "", "move"):
        assert game.step(command) == "Nothing happens."
    assert game.snapshot() == before


def test_hands_hold_one_thing_and_only_what_is_held_can_be_examined(game):
    assert after(game, "go to countertop 1", "take apple 1 from countertop 1") == (
        "You pick up the apple 1 from the countertop 1."
    )
    assert game.step("inventory") == "You are carrying: a apple 1."
    assert not [command for command in game.admissible if command.startswith("take")]
    assert [c for c in game.admissible if c.startswith("examine")] == ["examine apple 1", "examine countertop 1"]
    assert game.step("move apple 1 to countertop 1") == "You move the apple 1 to the countertop 1."
    assert game.step("inventory") == "You are not carrying anything."


def test_things_go_only_where_their_type_fits(game):
    after(game, "go to countertop 1", "take apple 1 from countertop 1", "go to cabinet 1", "open cabinet 1")
    assert "move apple 1 to cabinet 1" not in game.admissible
    after(game, "go to sidetable 1")
    assert "move apple 1 to sidetable 1" in game.admissible


def test_a_microwave_heats_while_closed_and_heat_and_cold_exclude_each_other(game):
    after(game, "go to countertop 1", "take apple 1 from countertop 1", "go to microwave 1")
    assert game.step("heat apple 1 with microwave 1") == "You heat the apple 1 using the microwave 1."
    assert game.step("examine apple 1") == "This is a hot apple 1."
    assert after(game, "go to fridge 1", "cool apple 1 with fridge 1") == "You cool the apple 1 using the fridge 1."
    assert game.step("examine apple 1") == "This is a cold apple 1."
    assert after(game, "go to sinkbasin 1", "clean apple 1 with sinkbasin 1") == (
        "You clean the apple 1 using the sinkbasin 1."
    )
    assert game.step("examine apple 1") == "This is a cool and clean apple 1."


def test_a_container_is_described_by_its_contents_whatever_was_done_to_it(game):
    after(
        game, "go to countertop 1", "take mug 2 from countertop 1", "go to microwave 1", "heat mug 2 with microwave 1"
    )
    assert game.step("examine mug 2") == "This is a normal mug 2. In it, you see a butterknife 1."


def test_slicing_needs_a_knife_in_hand_and_the_thing_at_the_place(game):
    after(game, "go to countertop 1")
    assert not [command for command in game.admissible if command.startswith("slice")]
    after(game, "take butterknife 1 from countertop 1")
    assert game.step("slice apple 1 with butterknife 1") == "You sliced the apple 1 with the butterknife 1."
    after(game, "move butterknife 1 to countertop 1", "go to sidetable 1", "go to countertop 1")
    assert game.held != NOTHING, "a butter knife fits nowhere here, so it is still held"
    after(game, "go to sidetable 1")
    assert not [command for command in game.admissible if command.startswith("slice")]


def test_a_lamp_is_turned_on_again_and_again(game):
    assert after(game, "go to sidetable 1", "use desklamp 1") == "You turn on the desklamp 1."
    assert game.step("use desklamp 1") == "You turn on the desklamp 1."
    assert "take desklamp 1 from sidetable 1" not in game.admissible


def test_looking_names_only_what_was_moved_between_receptacles_at_one_place(game):
    after(game, "go to cabinet 2", "open cabinet 2", "open cabinet 1", "take mug 1 from cabinet 2")
    after(game, "move mug 1 to cabinet 1")
    assert game.step("look") == "You are facing the cabinet 2, and cabinet 1. Next to it, you see a mug 1."
    after(game, "take mug 1 from cabinet 1", "move mug 1 to cabinet 2")
    assert game.step("look") == "You are facing the cabinet 2, and cabinet 1. Next to it, you see a mug 1."


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_of_goal_is_reached_by_its_last_command_and_not_before(problem, solution, kind):
    game = Game(parse_problem(problem(kind.value), "."))
    for command in solution(kind.value):
        assert not game.won, command
        assert game.step(command) != "Nothing happens.", command
    assert game.won


def test_heating_a_thing_that_was_cool_takes_its_coolness(problem):
    game = Game(parse_problem(problem("pick_cool_then_place_in_recep"), "."))
    commands = ["go to cabinet 2", "open cabinet 2", "take mug 1 from cabinet 2", "go to microwave 1"]
    after(game, *commands, "heat mug 1 with microwave 1", "go to sidetable 1", "move mug 1 to sidetable 1")
    assert not game.won


def test_admissible_commands_are_sorted_and_unique_and_all_do_something(house):
    rng = random.Random(3)
    game = Game(house)
    for _ in range(500):
        commands = game.admissible
        assert commands == sorted(set(commands))
        state = game.snapshot()
        for command in commands:
            assert game.step(command) != "Nothing happens."
            game.restore(state)
        game.step(rng.choice(commands))


def test_a_restored_game_goes_on_as_the_original(house):
    rng = random.Random(4)
    game, twin = Game(house), Game(house)
    for _ in range(300):
        twin.restore(game.snapshot())
        assert (twin.key(), twin.admissible, twin.won) == (game.key(), game.admissible, game.won)
        command = rng.choice(game.admissible)
        assert twin.step(command) == game.step(command)


def test_keys_are_equal_exactly_when_states_are(house):
    there, back = Game(house), Game(house)
    after(there, "go to countertop 1", "take mug 2 from countertop 1", "move mug 2 to countertop 1")
    after(back, "go to sidetable 1", "go to countertop 1", "look", "inventory", "examine countertop 1")
    assert there.key() == back.key()
    seen = {there.key()}
    for command in (
        "take mug 2 from countertop 1",
        "go to microwave 1",
        "open microwave 1",
        "heat mug 2 with microwave 1",
    ):
        assert there.step(command) != "Nothing happens."
        assert there.key() not in seen
        seen.add(there.key())
