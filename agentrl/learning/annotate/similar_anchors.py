"""Anchor states that are alike instead of equal: state keys merged where their texts are similar."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

import torch
from torch import Tensor

from agentrl.errors import ConfigError
from agentrl.learning.annotate.annotator import Annotator, Materials, Scorer
from agentrl.learning.batch import Batch
from agentrl.trajectory import Group


def similar_anchors(materials: Materials, *, threshold: float = 0.95) -> Annotator:
    """`state_key_U` anew: turns of a group that were taken in similar states share a key, instead of equal ones alone.

    States are compared by the texts of their keys, so that `state_key()` must give text that reads alike where states
    are, such as the observation. Other keys are stored as digests, of which no two are alike.

    Args:
        materials: None is needed.
        threshold: How much of two texts must agree, between 0 and 1.

    Raises:
        ConfigError: The threshold is not between 0 and 1; when a batch is filled, that no turn has a state key.

    Source: arXiv 2505.10978; verl-agent core_gigpo.py, build_step_group with enable_similarity.
    """
    if not 0 < threshold < 1:
        raise ConfigError(f"The threshold of similarity must be between 0 and 1; got {threshold}.")

    def fill(batch: Batch, groups: Sequence[Group]) -> Batch:
        keys = [[turn.state_key for trajectory in group.trajectories for turn in trajectory.turns] for group in groups]
        if batch.state_key_U is None:
            raise ConfigError("Similar anchors need state keys, and no turn has one: give the environment state_key().")
        return replace(batch, state_key_U=similar_keys(keys, threshold).to(batch.state_key_U.device))

    return Scorer(fill)


def similar_keys(keys: Sequence[Sequence[str | None]], threshold: float = 0.95) -> Tensor:
    """A number for the key of each turn: in each group, those of similar texts have the same.

    Greedy: a text joins the first cluster whose first member it is similar to, or else begins one. Two are similar
    where difflib's ratio is at least `threshold`.

    Args:
        keys: Of each group, those of its turns, in the batch's order; None where a turn has none.
        threshold: Between 0 and 1.

    Shapes: returns state_key_U [U] int64; -1 for None; no number occurs in two groups.
    Source: arXiv 2505.10978; verl-agent core_gigpo.py, build_step_group and are_similar.
    Differs: each text is compared once, and only with those that share enough letters, and then a long enough common
        subsequence, to be similar at all, which changes nothing; letters that are frequent count too, which difflib
        by default leaves out of texts of 200 or more, so that hardly any two of these would be similar.
    """
    numbers: list[int] = []
    num_clusters = 0
    for of_group in keys:
        cluster_of = _clusters(list(dict.fromkeys(key for key in of_group if key is not None)), threshold)
        numbers += [-1 if key is None else num_clusters + cluster_of[key] for key in of_group]
        num_clusters += max(cluster_of.values(), default=-1) + 1
    return torch.tensor(numbers)


def _clusters(texts: Sequence[str], threshold: float) -> dict[str, int]:
    """The cluster of each text; texts are distinct."""
    count_NL, length_N = _letters(texts), torch.tensor([len(text) for text in texts])
    cluster_of: dict[str, int] = {}
    firsts: list[_First] = []  # each cluster's first member
    numbers: list[int] = []  # and which text that is
    for number, text in enumerate(texts):
        shared_M = torch.minimum(count_NL[numbers], count_NL[number]).sum(1)
        may_be_M = 2 * shared_M >= threshold * (length_N[numbers] + len(text))
        candidates = may_be_M.nonzero().squeeze(1).tolist()
        similar = (cluster for cluster in candidates if firsts[cluster].is_similar(text, threshold))
        cluster_of[text] = next(similar, len(firsts))
        if cluster_of[text] == len(firsts):
            firsts.append(_First(text))
            numbers.append(number)
    return cluster_of


class _First:
    """A text that is made ready to be compared with many."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._matcher = SequenceMatcher(None, "", text, autojunk=False)
        self._places: defaultdict[str, int] = defaultdict(int)  # letter -> bits at its places
        for place, letter in enumerate(text):
            self._places[letter] |= 1 << place

    def is_similar(self, text: str, threshold: float) -> bool:
        """Whether difflib's ratio, the share of both texts' letters that it matches, is at least the threshold."""
        if 2 * self._longest_common_subsequence(text) < threshold * (len(self._text) + len(text)):
            return False  # what difflib matches is a common subsequence too
        self._matcher.set_seq1(text)
        return self._matcher.ratio() >= threshold

    def _longest_common_subsequence(self, text: str) -> int:
        """Its length, by Hyyro's bit-parallel algorithm: the zeros of `rows` count it, letter after letter."""
        all_ones = rows = (1 << len(self._text)) - 1
        for letter in text:
            matched = rows & self._places.get(letter, 0)
            rows = (rows + matched) | (rows - matched)
        return len(self._text) - (rows & all_ones).bit_count()


def _letters(texts: Sequence[str]) -> Tensor:
    """How often each letter occurs in each text.

    Shapes: returns [N, L] int64.
    """
    letters = sorted(set().union(*texts))
    counts = [Counter(text) for text in texts]
    return torch.tensor([[count[letter] for letter in letters] for count in counts], dtype=torch.int64)
