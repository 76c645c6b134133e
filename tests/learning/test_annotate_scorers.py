"""Columns by a forward pass: whose log-probabilities they are, and that cutting the batch up changes none of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agentrl.errors import ConfigError
from agentrl.learning.algorithms import Part, algorithm
from agentrl.learning.annotate import Materials, annotators_of, make_annotators
from agentrl.learning.annotate.annotator import Annotator, Scorer
from agentrl.learning.batch import Batch, pack
from agentrl.learning.policy import Policy
from agentrl.learning.score import score
from agentrl.learning.tiny import create_tiny
from agentrl.trajectory import Group, Trajectory, Turn

OPENING = (5, 6)  # how every prompt of these tests ends
GROUPS = [
    [
        [{"num_context": 5, "num_actions": 3}, {"num_context": 4, "num_actions": 2}, {"num_context": 3}],
        [{"num_context": 9, "num_actions": 2}, {"num_context": 6, "num_actions": 4, "opens_sequence": True}],
    ],
    [[{"num_context": 7, "num_actions": 5}], [{"num_context": 3, "num_actions": 1}]],
]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models that read the same tokens, and one that does not."""
    made = [
        create_tiny(tmp_path_factory.mktemp("model"), words, ["text"], size="0.1m", vocabulary=num, seed=seed)
        for words, num, seed in (([], 259, 0), ([], 259, 1), (["mug"], 260, 0))
    ]
    return made


def with_contexts(groups: list[Group], change: Callable[[Turn, bool], tuple[int, ...]]) -> list[Group]:
    """The groups with other contexts: functions of the turn, and of whether it opens a sequence."""

    def changed(trajectory: Trajectory) -> Trajectory:
        turns = [
            replace(turn, context_ids=change(turn, number == 0 or turn.opens_sequence))
            for number, turn in enumerate(trajectory.turns)
        ]
        return replace(trajectory, turns=tuple(turns))

    return [replace(group, trajectories=tuple(map(changed, group.trajectories))) for group in groups]


@pytest.fixture
def groups(tiny_groups: Callable[[Any], list[Group]]) -> list[Group]:
    """Groups whose contexts end as an assistant's message is opened."""
    return with_contexts(tiny_groups(GROUPS), lambda turn, _: (*turn.context_ids[:-2], *OPENING))


def materials(paths: list[Path], **changes: Any) -> Materials:
    return Materials(
        **{
            "policy": Policy.load(paths[0], dtype="float64"),
            "load_start": lambda: Policy.load(paths[0], dtype="float64"),
            "load_model": lambda name: Policy.load(name, dtype="float64"),
            "temperature": 0.7,
            "max_tokens": 20,
            "encode": lambda text: tuple(text.encode()),
            "opening_ids": OPENING,
            "answers": lambda task: ["ab", "c"],
        }
        | changes
    )


def make(name: str, made_of: Materials, **arguments: Any) -> Annotator:
    row = algorithm("grpo", annotators=[{"name": name, **arguments}])
    (annotator,) = make_annotators(annotators_of(row), made_of).values()
    return annotator


def shift(policy: Policy) -> None:
    """Make it another policy."""
    with torch.no_grad():
        for n, (_, value) in enumerate(policy.parameters()):
            value.add_(torch.randn(value.shape, generator=torch.Generator().manual_seed(n)) * 0.1)


@torch.no_grad()
def plain(policy: Policy, batch: Batch) -> torch.Tensor:
    return policy.logprobs(batch, temperature=0.7).logprob_T


def close(actual: torch.Tensor | None, expected: torch.Tensor) -> None:
    assert actual is not None
    torch.testing.assert_close(actual, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("max_tokens", [1, 13, 20, 1000])
def test_the_parts_in_which_a_batch_passes_change_nothing(
    paths: list[Path], groups: list[Group], max_tokens: int
) -> None:
    policy, batch = Policy.load(paths[0], dtype="float64"), pack(groups)
    scored = score(policy, batch, temperature=0.7, max_tokens=max_tokens, entropy=True)
    whole = policy.logprobs(batch, temperature=0.7, entropy=True)
    assert whole.entropy_T is not None
    close(scored.logprob_T, whole.logprob_T.detach())
    close(scored.entropy_T, whole.entropy_T.detach())
    assert not scored.logprob_T.requires_grad


def test_the_reference_stays_where_the_policy_began(paths: list[Path], groups: list[Group]) -> None:
    made_of, batch = materials(paths), pack(groups)
    expected_T = plain(made_of.policy, batch)
    annotator = make("reference", made_of)
    shift(made_of.policy)
    close(annotator.annotate(batch, groups).reference_logprob_T, expected_T)
    assert not torch.allclose(plain(made_of.policy, batch), expected_T)


def test_old_logprobs_are_the_policys_as_it_is_now(paths: list[Path], groups: list[Group]) -> None:
    made_of, batch = materials(paths), pack(groups)
    annotator = make("old_logprobs", made_of)
    for _ in range(2):
        shift(made_of.policy)
        annotated = annotator.annotate(batch, groups)
        close(annotated.old_logprob_T, plain(made_of.policy, batch))
        assert torch.equal(annotated.sampled_logprob_T, batch.sampled_logprob_T)


def test_entropies_are_filled_in_where_the_engine_gave_none(paths: list[Path], groups: list[Group]) -> None:
    made_of, batch = materials(paths), pack(groups)
    annotator = make("entropy", made_of)
    assert batch.entropy_T is None
    whole = made_of.policy.logprobs(batch, temperature=0.7, entropy=True)
    assert whole.entropy_T is not None
    close(annotator.annotate(batch, groups).entropy_T, whole.entropy_T.detach())
    given = replace(batch, entropy_T=torch.ones(batch.num_tokens))
    assert annotator.annotate(given, groups) is given


def test_a_teacher_is_another_model_that_reads_the_same_tokens(paths: list[Path], groups: list[Group]) -> None:
    batch = pack(groups)
    annotator = make("teacher", materials(paths), path=str(paths[1]))
    close(annotator.annotate(batch, groups).reference_logprob_T, plain(Policy.load(paths[1], dtype="float64"), batch))
    with pytest.raises(ConfigError, match="reads other tokens than the policy"):
        make("teacher", materials(paths), path=str(paths[2]))


@pytest.mark.parametrize("model", ["start", "current"])
def test_the_privileged_one_reads_the_answer_at_the_end_of_each_prompt(
    paths: list[Path], groups: list[Group], model: str
) -> None:
    made_of, batch = materials(paths), pack(groups)
    annotator = make("privileged", made_of, model=model, hint=" is {answer}")
    start = Policy.load(paths[0], dtype="float64")
    shift(made_of.policy)
    reference_T = annotator.annotate(batch, groups).reference_logprob_T
    assert reference_T is not None

    def told(turn: Turn, is_prompt: bool) -> tuple[int, ...]:
        return (*turn.context_ids[:-2], *b" is ab; c", *OPENING) if is_prompt else turn.context_ids

    informed = pack(with_contexts(groups, told))
    scorer = start if model == "start" else made_of.policy
    close(reference_T[batch.action_T], plain(scorer, informed)[informed.action_T])
    assert not reference_T[~batch.action_T].any()
    assert not torch.isclose(reference_T, plain(scorer, batch))[batch.action_T].any()


def test_a_prompt_that_does_not_end_as_the_template_says_is_refused(paths: list[Path], groups: list[Group]) -> None:
    annotator = make("privileged", materials(paths, opening_ids=(1, 2, 3)))
    with pytest.raises(ConfigError, match="cannot tell where a prompt's last message ends"):
        annotator.annotate(pack(groups), groups)


@pytest.mark.parametrize("name", ["privileged", "information_gain"])
def test_without_answers_there_is_nothing_to_tell_or_to_ask_for(paths: list[Path], name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name!r} needs answers, and the suite knows none"):
        make(name, materials(paths, answers=None))


def numbered(made_of: Materials, *, bonus: float = 1.0) -> Annotator:
    """An annotator of one's own: a bonus for each turn by its number in the batch."""
    return Scorer(lambda batch, _: replace(batch, reward_U=batch.reward_U + bonus * batch.token_to_turn(batch.turn_T)))


def test_an_annotator_of_ones_own_is_named_by_its_module(paths: list[Path], groups: list[Group]) -> None:
    batch = pack(groups)
    annotated = make(f"{__name__}:numbered", materials(paths), bonus=2.0).annotate(batch, groups)
    expected_U = torch.arange(batch.num_turns) * (batch.token_to_turn(torch.ones(batch.num_tokens)) > 0)
    assert annotated.reward_U.tolist() == (batch.reward_U + 2 * expected_U).tolist()


def test_what_learns_nothing_keeps_nothing(paths: list[Path], groups: list[Group], tmp_path: Path) -> None:
    annotator = make("reference", materials(paths))
    annotator.save(tmp_path)
    annotator.load(tmp_path)
    assert not list(tmp_path.iterdir())
    assert annotator.update(pack(groups)) == {}


@pytest.mark.parametrize(
    ("annotators", "message"),
    [
        (["refrence"], "There is no annotator 'refrence'. Did you mean 'reference'"),
        ([{"name": "critic", "gama": 1.0}], "The annotator 'critic' takes no argument 'gama'."),
        ([{"name": "critic", "discont": 1.0}], "takes no argument 'discont'. Did you mean 'discount'"),
        ([{"name": "critic", "over": "words"}], "The annotator 'critic': over = 'words': Input should be 'tokens' or"),
        ([{"name": "implicit_reward", "beta": "high"}], "beta = 'high': Input should be a valid number"),
        (["teacher"], "The annotator 'teacher' needs the argument 'path'."),
        ([{"name": "reference", "path": "x"}], "The annotator 'reference' takes no argument 'path'. Known: none."),
    ],
)
def test_wrong_names_and_arguments_are_answered_with_what_is_right(annotators: list[Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        annotators_of(algorithm("grpo", annotators=annotators))
    assert message in str(caught.value)


def test_what_other_parts_need_comes_by_itself() -> None:
    assert annotators_of(algorithm("grpo")) == ()
    assert annotators_of(algorithm("grpo", kl_coefficient=0.1)) == (Part("reference"),)
    taught = algorithm("grpo", kl_coefficient=0.1, annotators=[{"name": "teacher", "path": "x"}, "entropy"])
    assert [part.name for part in annotators_of(taught)] == ["teacher", "entropy"]
    corrected = algorithm("grpo", correction="tis", kl_coefficient=0.1, annotators=["old_logprobs"])
    assert [part.name for part in annotators_of(corrected)] == ["reference", "old_logprobs"]
    assert annotators_of(algorithm("grpo", correction="tis")) == (Part("old_logprobs"),)
    assert annotators_of(replace(algorithm("grpo"), needs_entropies=True)) == (Part("entropy"),)
