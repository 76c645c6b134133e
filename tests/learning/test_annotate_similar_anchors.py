import random
import time
from dataclasses import replace
from difflib import SequenceMatcher

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.errors import ConfigError
from agentrl.learning.annotate import ANNOTATORS
from agentrl.learning.annotate.similar_anchors import similar_keys
from agentrl.learning.batch import pack
from agentrl.learning.credit.anchor import anchor_groups, gigpo

TEXT = st.text("abc ", max_size=12)
KEYS = st.lists(st.lists(st.none() | TEXT, max_size=8), min_size=1, max_size=3)


def plainly(keys, threshold):
    """The greedy clusters, by comparing every text with every first one."""
    clusters: list[tuple[int, str]] = []
    numbers: list[int] = []
    for g, of_group in enumerate(keys):
        for key in of_group:
            if key is None:
                numbers.append(-1)
                continue
            for number, (group, first) in enumerate(clusters):
                if group == g and SequenceMatcher(None, key, first, autojunk=False).ratio() >= threshold:
                    numbers.append(number)
                    break
            else:
                numbers.append(len(clusters))
                clusters.append((g, key))
    return numbers


@settings(deadline=None)
@given(keys=KEYS, threshold=st.sampled_from([0.5, 0.8, 0.95]))
def test_the_clusters_are_those_of_comparing_all_texts(keys, threshold):
    assert _partition(similar_keys(keys, threshold).tolist()) == _partition(plainly(keys, threshold))


def _partition(numbers):
    first: dict[int, int] = {}
    return [-1 if n < 0 else first.setdefault(n, place) for place, n in enumerate(numbers)]


def test_long_texts_that_differ_in_a_word_are_similar():
    rng = random.Random(0)
    pages = [" ".join(rng.choice(["shirt", "tee", "polo", "$10", "$12", "blue"]) for _ in range(60)) for _ in range(4)]
    texts = [page.replace("blue", word, 1) for page in pages for word in ("blue", "red", "navy")]
    assert similar_keys([texts]).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    official = SequenceMatcher(None, texts[0], texts[1])  # leaves out the frequent letters: all of them
    assert official.ratio() < 0.5


def test_similarity_decides_the_official_step_groups(tiny_groups, vectors, agree):
    stored = vectors("gigpo")
    cases = [case for case in stored["cases"] if case["config"]["similarity_thresh"] is not None]
    assert len(cases) == 2
    for case in cases:
        config, groups = case["config"], {}
        for trajectory in case["input"]["trajectories"]:
            turns = [{"reward": turn["reward"], "state_key": turn["state_key"]} for turn in trajectory["turns"]]
            groups.setdefault(trajectory["group_id"], []).append(turns)
        collected = tiny_groups(list(groups.values()))
        annotator = ANNOTATORS["similar_anchors"](None, threshold=config["similarity_thresh"])
        batch = annotator.annotate(pack(collected), collected)
        labels = torch.tensor([label for row in case["expected"]["step_group_label"] for label in row])
        anchor_U = anchor_groups(batch)
        assert torch.equal(anchor_U[:, None] == anchor_U, labels[:, None] == labels)
        step_U = torch.tensor([x for row in case["expected"]["step_advantage"] for x in row])
        both = gigpo(batch, discount=config["gamma"]) - gigpo(batch, discount=config["gamma"], step_weight=0)
        agree(batch.token_to_turn(both), step_U, stored["tolerance"])


def test_turns_without_a_key_stay_without_one_and_excluded_trajectories_do_not_count(tiny_groups):
    text = "you stand in front of the fridge, which is open"
    members = tiny_groups([[[{"state_key": text}, 0.0], [{"state_key": text[:-1]}]], [[{"state_key": text}]]])
    (excluded,) = tiny_groups([[[{"state_key": "elsewhere"}]]])
    empty = replace(excluded, trajectories=(), excluded=excluded.trajectories)
    collected = [replace(members[0], excluded=excluded.trajectories), empty, members[1]]
    batch = ANNOTATORS["similar_anchors"](None).annotate(pack(collected), collected)
    assert batch.state_key_U.tolist() == [0, -1, 0, 1]


def test_what_makes_no_sense_is_refused(tiny_groups):
    for threshold in (0.0, 1.0, 1.5):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            ANNOTATORS["similar_anchors"](None, threshold=threshold)
    collected = tiny_groups([[[0.0], [1.0]]])
    with pytest.raises(ConfigError, match="need state keys"):
        ANNOTATORS["similar_anchors"](None).annotate(pack(collected), collected)


def test_many_different_texts_take_little_time():
    rng = random.Random(0)
    words = ["mug", "apple", "plate", "knife", "book", "lamp", "key", "towel"]
    texts = [
        f"You arrive at shelf {rng.randint(1, 99)}. On it you see "
        + ", ".join(f"a {rng.choice(words)} {rng.randint(1, 3)}" for _ in range(rng.randint(2, 8)))
        for _ in range(200)
    ]
    began = time.process_time()
    numbers = similar_keys([texts])
    assert time.process_time() - began < 2
    assert numbers.unique().numel() > 100
