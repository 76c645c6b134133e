"""What a model expects in branches is what it expects when each is run by itself, behind what it goes on from."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, PreTrainedModel, Qwen3Config

from agentrl.learning.batch import Batch
from agentrl.learning.branches import Branches, branch_spans, branches_of
from agentrl.learning.policy import Policy

VOCABULARY = 97
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 64,
    "max_position_embeddings": 512,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
CONFIGS = {
    "qwen3": Qwen3Config(**SHAPE),
    "llama": LlamaConfig(**SHAPE),
    "mistral with a window": MistralConfig(**SHAPE, sliding_window=12),
    "qwen3 with windows in some layers": Qwen3Config(
        **SHAPE, use_sliding_window=True, sliding_window=7, max_window_layers=1
    ),
}
LENGTHS = [7, 30, 31, 64, 7, 55, 2]
STARTS = [0, 7, 37, 68, 132, 139, 194]
CONTINUATIONS = [  # (stem, ids): several from one token, none from the second sequence, one from the last token of all
    (3, [1, 2, 3]),
    (6, [4]),
    (50, [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
    (50, [5, 6]),
    (67, [15, 16, 17]),
    (130, list(range(20, 40))),
    (139, [40, 41]),
    (195, [42, 43, 44]),
]


def make_model(name: str = "qwen3") -> PreTrainedModel:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIGS[name], attn_implementation="sdpa", dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(5)
    return model.double()


def make_batch() -> Batch:
    num, total = len(LENGTHS), sum(LENGTHS)
    index_N = torch.arange(num)
    return Batch(
        token_T=torch.randint(0, VOCABULARY, (total,), generator=torch.Generator().manual_seed(0)),
        action_T=torch.cat([torch.arange(length) for length in LENGTHS]) > 1,
        sampled_logprob_T=torch.zeros(total),
        turn_T=index_N.repeat_interleave(torch.tensor(LENGTHS)),
        position_T=torch.cat([torch.arange(length) for length in LENGTHS]),
        reward_U=torch.zeros(num, dtype=torch.float64),
        trajectory_U=index_N,
        sequence_U=index_N,
        version_U=torch.zeros(num, dtype=torch.int64),
        valid_U=torch.ones(num, dtype=torch.bool),
        group_B=torch.zeros(num, dtype=torch.int64),
        terminated_B=torch.ones(num, dtype=torch.bool),
    )


def alone(model: PreTrainedModel, batch: Batch, stem: int, ids: list[int]) -> Tensor:
    """Log-probabilities of the ids by a forward pass of everything before them and them."""
    start = max(start for start in STARTS if start <= stem)
    row = torch.cat([batch.token_T[start : stem + 1], torch.tensor(ids)])
    log_LV = model(input_ids=row[None]).logits[0].log_softmax(-1)
    return log_LV[-len(ids) - 1 : -1].gather(1, torch.tensor(ids)[:, None]).squeeze(1)


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_branches_get_what_they_would_get_alone(name: str) -> None:
    model, batch = make_model(name), make_batch()
    expected_N = torch.cat([alone(model, batch, stem, ids) for stem, ids in CONTINUATIONS])
    policy = Policy(copy.deepcopy(model))
    actual_N = policy.branch_logprobs(batch, branches_of(CONTINUATIONS))
    assert float(expected_N.min()) < -5
    torch.testing.assert_close(actual_N, expected_N, atol=1e-12, rtol=0)


@torch.no_grad()
def test_a_branch_changes_nothing_for_the_others() -> None:
    policy, batch = Policy(make_model()), make_batch()
    first_N = policy.branch_logprobs(batch, branches_of(CONTINUATIONS))
    changed = [(stem, ids if n else [90, 91, 92]) for n, (stem, ids) in enumerate(CONTINUATIONS)]
    second_N = policy.branch_logprobs(batch, branches_of([*changed, (195, [9, 9, 9])]))
    torch.testing.assert_close(second_N[3:-3], first_N[3:], atol=1e-12, rtol=0)
    assert not torch.isclose(second_N[:3], first_N[:3]).any()


@torch.no_grad()
def test_only_the_tokens_asked_for_are_looked_at() -> None:
    policy, batch, branches = Policy(make_model()), make_batch(), branches_of(CONTINUATIONS)
    at_N = torch.arange(branches.token_N.numel()) % 3 == 0
    whole_N = policy.branch_logprobs(batch, branches, temperature=0.7)
    some_N = policy.branch_logprobs(batch, branches, temperature=0.7, at_N=at_N)
    torch.testing.assert_close(some_N, whole_N * at_N, atol=1e-12, rtol=0)


@settings(deadline=None, max_examples=50)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    draws=st.lists(st.tuples(st.integers(0, 29), st.integers(1, 3)), min_size=1, max_size=6),
    max_tokens=st.integers(1, 9),
)
def test_each_token_attends_to_its_sequence_up_to_the_stem_and_to_its_branch(
    lengths: list[int], draws: list[tuple[int, int]], max_tokens: int
) -> None:
    position_T = torch.cat([torch.arange(length) for length in lengths])
    total = position_T.numel()
    branches = branches_of(sorted((stem % total, [0] * count) for stem, count in draws))
    sequence_T = (position_T == 0).cumsum(0)
    seen = torch.zeros(branches.token_N.numel(), total + branches.token_N.numel(), dtype=torch.bool)
    for span in branch_spans(branches, position_T, max_tokens=max_tokens):
        num_row = span.row.stop - span.row.start
        mask_QK = span.mask_QK(None)
        seen[span.branches, span.row] = mask_QK[:, :num_row]
        seen[span.branches, total + span.branches.start : total + span.branches.stop] = mask_QK[:, num_row:]
    for n in range(branches.token_N.numel()):
        stem = int(branches.stem_M[branches.branch_N[n]])
        for t in range(total):
            assert seen[n, t] == (t <= stem and sequence_T[t] == sequence_T[stem])
        for k in range(branches.token_N.numel()):
            assert seen[n, total + k] == (k <= n and branches.branch_N[k] == branches.branch_N[n])


def test_branches_know_their_places_and_who_comes_before() -> None:
    branches = Branches(token_N=torch.tensor([8, 9, 7]), branch_N=torch.tensor([0, 0, 1]), stem_M=torch.tensor([1, 4]))
    position_T = torch.tensor([0, 1, 2, 0, 1])
    assert branches.position_N(position_T).tolist() == [2, 3, 2]
    assert branches.previous_N(5).tolist() == [1, 5, 4]
