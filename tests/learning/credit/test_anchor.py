import pytest
import torch

from agentrl.errors import ConfigError
from agentrl.learning.credit.anchor import anchor_credit, anchor_groups, gigpo

OVER = {"turn_rows": "turns", "unique_trajectories": "first_turns"}


def build(tiny_batch, case):
    """The case's trajectories; the state keys are what decides a step group, a cluster of similar ones included."""
    groups: dict[str, list] = {}
    trajectories = case["input"]["trajectories"]
    for trajectory, labels in zip(trajectories, case["expected"]["step_group_label"], strict=True):
        similar = case["config"]["similarity_thresh"] is not None
        turns = [
            {
                "reward": turn["reward"],
                "state_key": f"cluster {label}" if similar else turn["state_key"],
                "valid": turn["action_valid"],
                "num_actions": turn["num_tokens"],
            }
            for turn, label in zip(trajectory["turns"], labels, strict=True)
        ]
        groups.setdefault(trajectory["group_id"], []).append(turns)
    return tiny_batch(list(groups.values()))


def options(config):
    return {
        "discount": config["gamma"],
        "std": config["mode"] == "mean_std_norm",
        "invalid_penalty": config["invalid_action_penalty_coef"],
        "statistics_over": OVER[config["episode_stats_over"]],
        "epsilon": config["epsilon"],
    }


def alone_U(batch, over):
    """Turns whose group has one entry to take statistics over: the official code gives them their raw score."""
    entries_B = torch.bincount(batch.trajectory_U) if over == "turns" else torch.ones_like(batch.group_B)
    entries_G = torch.zeros(batch.num_groups, dtype=torch.int64).index_add(0, batch.group_B, entries_B)
    return (entries_G == 1)[batch.group_U]


def flat(rows):
    return torch.tensor([x for row in rows for x in row])


def test_every_official_case_is_matched(tiny_batch, vectors, agree):
    stored = vectors("gigpo")
    assert len(stored["cases"]) == 23
    num_raw = 0
    for case in stored["cases"]:
        config, expected = case["config"], case["expected"]
        batch = build(tiny_batch, case)
        parts = anchor_credit(batch, **options(config))
        alone = alone_U(batch, OVER[config["episode_stats_over"]])
        num_raw += int(alone.any())
        episode_U, step_U = flat(expected["episode_advantage"]), flat(expected["step_advantage"])
        official_U = flat(expected["advantage"])
        episode_U[alone] = 0.0
        official_U[alone] = config["step_advantage_w"] * step_U[alone]
        agree(parts.episode_U, episode_U, stored["tolerance"])
        agree(parts.step_U, step_U, stored["tolerance"])
        advantage_T = gigpo(batch, **options(config), step_weight=config["step_advantage_w"])
        agree(advantage_T, batch.turn_to_token(official_U), stored["tolerance"])
    assert num_raw == 5  # two groups of one turn, two of a similarity case, one of one trajectory


def test_step_groups_are_those_of_the_official_code(tiny_batch, vectors):
    for case in vectors("gigpo")["cases"]:
        got = anchor_groups(build(tiny_batch, case))
        want = flat(case["expected"]["step_group_label"])
        assert torch.equal(got[:, None] == got, want[:, None] == want), case["name"]


def test_gigpo_by_hand(tiny_batch):
    batch = tiny_batch(
        [
            [
                [{"state_key": "start"}, {"state_key": "door", "reward": 1.0}],
                [{"state_key": "start"}, {"state_key": "wall"}],
            ],
            [[{"state_key": "start", "reward": 5.0}]],
        ]
    )
    parts = anchor_credit(
        batch, discount=0.5, std=False, invalid_penalty=0.1, statistics_over="trajectories", epsilon=1e-6
    )
    assert parts.episode_U.tolist() == [0.5, 0.5, -0.5, -0.5, 0]
    assert parts.step_U.tolist() == [0.25, 0, -0.25, 0, 0]  # returns-to-go of 0.5 and 0 from the start of group 0
    advantage_U = batch.token_to_turn(gigpo(batch, discount=0.5, step_weight=2.0))
    assert advantage_U.tolist() == [1.0, 0.5, -1.0, -0.5, 0]


def test_an_invalid_turn_pays_by_itself_and_shifts_nobodys_baseline(tiny_batch):
    turns = [[{"state_key": "a", "valid": False}, {"state_key": "b", "reward": 1.0}], [{"state_key": "c"}]]
    batch = tiny_batch([turns])
    advantage_U = batch.token_to_turn(gigpo(batch, invalid_penalty=0.25))
    assert advantage_U.tolist() == [0.25, 0.5, -0.5]


def test_a_penalty_is_never_divided_by_a_small_spread(tiny_batch):
    late = [{"state_key": "a"}, {"state_key": "b", "valid": False, "reward": 1.0}]
    batch = tiny_batch([[late, [{"state_key": "c", "reward": 1.0}], [{"state_key": "d", "reward": 1.0 + 1e-4}]]])
    advantage_U = batch.token_to_turn(gigpo(batch, std=True))
    assert advantage_U.abs().max() < 1.2  # returns 1, 1 and 1.0001: the small spread itself, standardised
    assert float(advantage_U[1]) == pytest.approx(float(advantage_U[0]) - 0.1)


def test_a_group_without_spread_is_not_divided_by_epsilon(tiny_batch):
    late = [{"state_key": "a"}, {"state_key": "b", "valid": False, "reward": 1.0}]
    batch = tiny_batch([[late, [{"state_key": "c", "reward": 1.0}]]])
    over_first = batch.token_to_turn(gigpo(batch, std=True, statistics_over="first_turns"))
    assert over_first.tolist() == [0, 0, 0]
    assert batch.token_to_turn(gigpo(batch, std=True)).tolist() == [0, -0.1, 0]


def test_statistics_over_turns_weigh_long_trajectories_more(tiny_batch):
    batch = tiny_batch([[[{"state_key": str(u), "reward": float(u == 2)} for u in range(3)], [{"state_key": "x"}]]])
    by_trajectory, by_turn = (
        batch.token_to_turn(gigpo(batch, statistics_over=over)).tolist() for over in ("trajectories", "turns")
    )
    assert by_trajectory == [0.5, 0.5, 0.5, -0.5]
    assert by_turn == [0.25, 0.25, 0.25, -0.75]


def test_turns_without_a_key_are_compared_with_nobody(tiny_batch):
    batch = tiny_batch([[[{"state_key": "a"}, 1.0], [0.0, {"state_key": "a"}]], [[{"state_key": "a"}]]])
    assert anchor_groups(batch).tolist() == [0, 2, 3, 0, 1]


def test_an_environment_without_state_keys_is_told_so(tiny_batch):
    with pytest.raises(ConfigError, match="Anchor groups need state keys"):
        gigpo(tiny_batch([[[0.0], [1.0]]]))
