"""Finding the real games on disk, in both layouts, and saying what is wrong where they are not."""

import json
import lzma

import pytest

from agentrl.errors import ConfigError
from agentrl_environments.household import suite
from agentrl_environments.household.corpus import open_corpus

PLACE = "pick_and_place_simple-Mug-None-SideTable-1"


def write_game(folder, problem, *, split, task=PLACE, trial="trial_1", solvable=True):
    path = folder / split / task / trial / "game.tw-pddl"
    path.parent.mkdir(parents=True)
    grammar = 'grammar :: """ {"task": [{"rhs": "Your task is to: put a mug in sidetable."}]} """;'
    game = {"pddl_domain": "", "grammar": grammar, "pddl_problem": problem, "walkthrough": [], "solvable": solvable}
    path.write_text(json.dumps(game))


def line(problem, **changes):
    entry = {"split": "train", "task_id": PLACE, "trial": "t1", "task": "put a mug in sidetable.", "problem": problem}
    return json.dumps(entry | changes)


def test_alfworld_s_folders_are_read_from_the_root_from_json_2_1_1_or_from_one_split(tmp_path, problem):
    root = tmp_path / "json_2.1.1"
    write_game(root, problem(), split="train")
    write_game(root, problem(), split="valid_seen", trial="trial_2")
    for path in (tmp_path, root):
        splits = open_corpus(str(path)).splits
        assert {split: len(tasks) for split, tasks in splits.items()} == {"train": 1, "valid_seen": 1}
    assert list(open_corpus(str(root / "valid_seen")).splits) == ["valid_seen"]
    corpus = open_corpus(str(tmp_path))
    task = corpus.splits["train"][0]
    assert task.data == {"game": f"train/{PLACE}/trial_1", "kind": "pick_and_place_simple"}
    assert corpus.house(task).task == "put a mug in sidetable."


def test_games_that_alfworld_leaves_out_are_left_out(tmp_path, problem):
    write_game(tmp_path, problem(), split="train")
    write_game(tmp_path, problem(), split="train", trial="trial_2", solvable=False)
    write_game(tmp_path, problem(), split="train", task="pick_and_place_with_movable_recep-Mug-Bowl-Shelf-1")
    write_game(tmp_path, problem(), split="train", task="pick_heat_then_place_in_recep-AppleSliced-None-Fridge-1")
    assert len(open_corpus(str(tmp_path)).splits["train"]) == 1


@pytest.mark.parametrize("name", ["games.jsonl", "games.jsonl.xz"])
def test_a_file_with_a_game_a_line_is_read_plain_and_compressed(tmp_path, problem, name):
    text = "\n".join([line(problem()), line(problem(), split="valid_seen", trial="t2")])
    (tmp_path / name).write_bytes(lzma.compress(text.encode()) if name.endswith("xz") else text.encode())
    for path in (tmp_path, tmp_path / name):
        corpus = open_corpus(str(path))
        assert {split: len(tasks) for split, tasks in corpus.splits.items()} == {"train": 1, "valid_seen": 1}
        assert corpus.house(corpus.splits["train"][0]).goal.thing == "mug"


def test_the_variable_says_where_the_games_are(tmp_path, problem, monkeypatch):
    (tmp_path / "games.jsonl").write_text(line(problem()))
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
    assert len(suite(difficulty="alfworld").tasks("train")) == 1
    assert len(suite().tasks("train")) > 1, "the variable alone does not change what is played"


def test_missing_games_are_a_clear_mistake_of_the_configuration(tmp_path, monkeypatch):
    monkeypatch.delenv("ALFWORLD_DATA", raising=False)
    with pytest.raises(ConfigError, match="ALFWORLD_DATA"):
        suite(difficulty="alfworld")
    with pytest.raises(ConfigError, match="nothing at"):
        suite(data=str(tmp_path / "absent"))
    with pytest.raises(ConfigError, match="no ALFWorld games at"):
        suite(data=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "complaint"), [("{", ":2: not a JSON line"), ('{"split": "train"}', ":2: .* no task_id")]
)
def test_a_broken_line_is_named(tmp_path, problem, text, complaint):
    path = tmp_path / "games.jsonl"
    path.write_text(line(problem()) + "\n" + text)
    with pytest.raises(ConfigError, match=complaint):
        open_corpus(str(path))


def test_the_real_splits_have_their_published_sizes_and_mix_the_kinds(data):
    splits = open_corpus(str(data)).splits
    assert {split: len(splits[split]) for split in ("train", "valid_seen")} == {"train": 3553, "valid_seen": 140}
    assert len({task.data["kind"] for task in splits["train"][:40]}) == 6
