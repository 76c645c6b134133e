"""Parity with the original: the real games' walkthroughs win, and the engine answers as TextWorld did."""

import json

import pytest

from agentrl_environments.household.alfworld import parse_problem
from agentrl_environments.household.engine import Game


def test_every_walkthrough_of_the_real_games_wins_with_its_last_command(real_games):
    assert len(real_games) == 3693
    for entry in real_games:
        game = Game(parse_problem(entry["problem"], entry["task"]))
        for command in entry["walkthrough"]:
            assert not game.won, entry["task_id"]
            assert game.step(command) != "Nothing happens.", (entry["task_id"], command)
        assert game.won, entry["task_id"]


def test_textworld_s_transcripts_are_matched_in_all_that_they_tell(data, real_games):
    path = data / "transcripts.jsonl"
    if not path.is_file():
        pytest.skip(f"{data} has no transcripts.jsonl")
    games = {f"{entry['split']}/{entry['task_id']}/{entry['trial']}": entry for entry in real_games}
    transcripts = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(transcripts) == 120
    for transcript in transcripts:
        entry = games[transcript["game"]]
        game = Game(parse_problem(entry["problem"], entry["task"]))
        assert game.intro() == transcript["intro"]
        assert game.admissible == transcript["admissible"]
        for step in transcript["steps"]:
            observation = game.step(step["command"])
            assert observation == step["observation"], step["command"]
            assert game.admissible == step["admissible"], step["command"]
            assert (float(game.won), game.won) == (step["reward"], step["done"]), step["command"]
