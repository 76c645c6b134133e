"""What the policy believes of the right answer before each turn, and how much the turn before it told."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

from agentrl.learning.annotate.annotator import Annotator, Materials, Scorer
from agentrl.learning.annotate.scorers import answers_of
from agentrl.learning.batch import Batch, consecutive
from agentrl.learning.branches import branches_of
from agentrl.learning.credit.information import BeliefScale, belief, information_gain
from agentrl.learning.segments import segment_count, segment_last, segment_max, segment_mean, segment_position
from agentrl.trajectory import Group, Task

PREFIX = "\nNow there's enough information to answer\n</think>\n<answer>\n"  # for a policy that thinks before it acts

Over: TypeAlias = Literal["mean", "max", "first"]


class Question(NamedTuple):
    """What is asked before a turn: how likely the policy is to go on with the prefix and then this answer."""

    turn: int  # number in the batch
    stem: int  # the batch's token after which it is asked
    ids: tuple[int, ...]  # prefix and answer
    num_prefix: int  # of the ids


def information_gains(
    materials: Materials, *, prefix: str = PREFIX, over: Over = "mean", scale: BeliefScale = "probability"
) -> Annotator:
    """`information_gain_U`: how much each turn raised the current policy's belief in the right answer.

    The belief is measured where the policy is about to take a turn: how likely it would be to write the answer there
    instead, behind a prefix that makes it the place for one. Nothing need follow the answer, since no token changes
    the probability of those before it. All questions about a sequence are asked in one pass over it.

    Args:
        materials: With `answers`.
        prefix: What is put before the answer.
        over: Which of the accepted answers count: "mean" and "max" of the beliefs in each, or the "first" alone.
        scale: "probability", the geometric mean of the answer's tokens', or "log" for its logarithm.

    Raises:
        ConfigError: The suite knows no answers.

    Source: arXiv 2510.14967, section 3; IGPO generation.py, run_llm_loop, and prealigned_vectorized.py.
    Differs: of several answers the reference code asks about the first alone ("first"); prefix and answer are tokenised
        each by itself, so that which tokens are the answer's is never a guess.
    """
    answers = answers_of(materials, "information_gain")

    def ids_of(task: Task) -> list[tuple[int, ...]]:
        accepted = answers(task)
        encoded = [tuple(materials.encode(text)) for text in (accepted[:1] if over == "first" else accepted)]
        return [ids for ids in encoded if ids]

    def fill(batch: Batch, groups: Sequence[Group]) -> Batch:
        questions = list(_questions(batch, groups, ids_of, tuple(materials.encode(prefix))))
        turn_M = torch.tensor([question.turn for question in questions], dtype=torch.int64)
        over_answers = segment_max if over == "max" else segment_mean
        belief_U = over_answers(_beliefs(batch, questions, materials, scale), turn_M, batch.num_turns)
        return replace(batch, information_gain_U=information_gain(belief_U, batch.trajectory_U))

    return Scorer(fill, _measure)


def _questions(
    batch: Batch, groups: Sequence[Group], ids_of: Callable[[Task], list[tuple[int, ...]]], prefix: tuple[int, ...]
) -> Iterator[Question]:
    """One for each turn and accepted answer, in the batch's order."""
    num_tokens_U = segment_count(batch.turn_T, batch.num_turns)
    first_tokens = iter((num_tokens_U.cumsum(0) - num_tokens_U).tolist())
    number = count()
    for group in groups:
        answers = ids_of(group.task)
        for turn in chain.from_iterable(trajectory.turns for trajectory in group.trajectories):
            u, stem = next(number), next(first_tokens) + len(turn.context_ids) - 1
            yield from (Question(u, stem, prefix + answer, len(prefix)) for answer in answers)


def _beliefs(batch: Batch, questions: Sequence[Question], materials: Materials, scale: BeliefScale) -> Tensor:
    """What the current policy believes of each question's answer.

    Shapes: returns [M] f64.
    """
    num_asked = sum(len(question.ids) for question in questions)
    # A part passes together with the questions about it.
    max_tokens = max(1, materials.max_tokens * batch.num_tokens // (batch.num_tokens + num_asked))
    beliefs = [torch.zeros(0, dtype=torch.float64)]
    begin = first = 0
    for part in consecutive(batch, max_tokens):
        end = begin + part.num_tokens
        last = bisect_left(questions, end, lo=first, key=lambda question: question.stem)
        own = [question._replace(stem=question.stem - begin) for question in questions[first:last]]
        beliefs += [_ask(part, own, materials, scale)] if own else []
        begin, first = end, last
    return torch.cat(beliefs)


@torch.no_grad()
def _ask(batch: Batch, questions: Sequence[Question], materials: Materials, scale: BeliefScale) -> Tensor:
    """`_beliefs`, in one forward pass."""
    policy, device = materials.policy, materials.policy.device
    branches = branches_of([(question.stem, question.ids) for question in questions])
    num_prefix_M = torch.tensor([question.num_prefix for question in questions])
    is_answer_N = segment_position(branches.branch_N) >= num_prefix_M[branches.branch_N]
    logprob_N = policy.branch_logprobs(
        batch.to(device), branches.to(device), temperature=materials.temperature, at_N=is_answer_N.to(device)
    )
    return belief(logprob_N.cpu()[is_answer_N], branches.branch_N[is_answer_N], len(questions), scale=scale)


def _measure(batch: Batch) -> Mapping[str, float]:
    assert batch.information_gain_U is not None
    gain_N = batch.information_gain_U[~segment_last(batch.trajectory_U)]
    if not gain_N.numel():
        return {}
    return {
        "learn/information_gain_mean": float(gain_N.mean()),
        "learn/information_gain_size": float(gain_N.abs().mean()),
    }
