import copy
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, PreTrainedModel, Qwen2Config, Qwen3Config
from transformers.models.cohere import CohereConfig
from transformers.models.gemma2 import Gemma2Config

from agentrl.errors import ConfigError
from agentrl.learning import policy as policy_module
from agentrl.learning.batch import Batch
from agentrl.learning.policy import Policy
from agentrl.learning.tiny import create_tiny

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
    "qwen3 tied": Qwen3Config(**SHAPE, tie_word_embeddings=True),
    "qwen2": Qwen2Config(**SHAPE),
    "llama": LlamaConfig(**SHAPE),
    "mistral with a window": MistralConfig(**SHAPE, sliding_window=12),
    "qwen3 with windows in some layers": Qwen3Config(
        **SHAPE, use_sliding_window=True, sliding_window=7, max_window_layers=1
    ),
}
LENGTHS = [7, 30, 31, 64, 7, 55, 2]


def make_model(name: str = "qwen3") -> PreTrainedModel:
    """A model as transformers runs it, in double precision, with distributions that are far from even."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIGS[name], attn_implementation="sdpa", dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(5)
    return model.double()


def make_batch(lengths: list[int] = LENGTHS, seed: int = 0) -> Batch:
    """One trajectory of one turn for each length, of random tokens, some of them sampled."""
    generator = torch.Generator().manual_seed(seed)
    num, total = len(lengths), sum(lengths)
    position_T = torch.cat([torch.arange(length) for length in lengths])
    index_T = torch.arange(num).repeat_interleave(torch.tensor(lengths))
    return Batch(
        token_T=torch.randint(0, VOCABULARY, (total,), generator=generator),
        action_T=(torch.rand(total, generator=generator) < 0.4) & (position_T > 0),
        sampled_logprob_T=torch.zeros(total),
        turn_T=index_T,
        position_T=position_T,
        reward_U=torch.zeros(num, dtype=torch.float64),
        trajectory_U=torch.arange(num),
        sequence_U=torch.arange(num),
        version_U=torch.zeros(num, dtype=torch.int64),
        valid_U=torch.ones(num, dtype=torch.bool),
        group_B=torch.zeros(num, dtype=torch.int64),
        terminated_B=torch.ones(num, dtype=torch.bool),
    )


def stock(model: PreTrainedModel, batch: Batch, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """Log-probabilities and entropies by a forward pass of each sequence by itself; 0 off-action."""
    logprobs, entropies = [], []
    for token_L in batch.token_T.split(LENGTHS):
        log_LV = (model(input_ids=token_L[None]).logits[0] / temperature).log_softmax(-1)
        first = log_LV.new_zeros(1)
        logprobs.append(torch.cat([first, log_LV[:-1].gather(1, token_L[1:, None]).squeeze(1)]))
        entropies.append(torch.cat([first, -(log_LV.exp() * log_LV).sum(-1)[:-1]]))
    return torch.cat(logprobs) * batch.action_T, torch.cat(entropies) * batch.action_T


def gradients(model: PreTrainedModel) -> dict[str, Tensor]:
    return {name: value.grad for name, value in model.named_parameters() if value.grad is not None}


def worst_difference(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    assert first.keys() == second.keys()
    return max(float((first[name] - second[name]).abs().max()) for name in first)


@pytest.mark.parametrize("name", CONFIGS)
def test_logprobs_entropies_and_gradients_equal_those_of_each_sequence_alone(name: str) -> None:
    model, batch = make_model(name), make_batch()
    policy = Policy(copy.deepcopy(model))
    weight_T = torch.randn(batch.num_tokens, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected_logprob_T, expected_entropy_T = stock(model, batch, temperature=0.7)
    actual = policy.logprobs(batch, temperature=0.7, entropy=True)
    assert actual.entropy_T is not None
    torch.testing.assert_close(actual.logprob_T, expected_logprob_T, atol=1e-12, rtol=0)
    torch.testing.assert_close(actual.entropy_T, expected_entropy_T, atol=1e-12, rtol=0)
    assert float(expected_logprob_T.detach().min()) < -5
    (weight_T * (expected_logprob_T + 0.3 * expected_entropy_T)).sum().backward()
    (weight_T * (actual.logprob_T + 0.3 * actual.entropy_T)).sum().backward()
    assert worst_difference(gradients(policy.model), gradients(model)) < 1e-10


def test_single_precision_stays_within_a_hundred_thousandth() -> None:
    model, batch = make_model(), make_batch()
    expected_T, _ = stock(model, batch)
    actual = Policy(copy.deepcopy(model).float()).logprobs(batch)
    assert actual.logprob_T.dtype == torch.float32
    assert actual.entropy_T is None
    assert float((actual.logprob_T - expected_T).detach().abs().max()) < 1e-5


def test_scoring_in_many_chunks_changes_neither_values_nor_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, results = make_batch(), []
    for max_logits in (2**26, 10 * VOCABULARY, 1):
        monkeypatch.setattr(policy_module, "_MAX_LOGITS", max_logits)
        policy = Policy(make_model())
        output = policy.logprobs(batch, entropy=True)
        assert output.entropy_T is not None
        (output.logprob_T.sum() + output.entropy_T.sum()).backward()
        results.append((output.logprob_T.detach(), gradients(policy.model)))
    for logprob_T, gradient in results[1:]:
        torch.testing.assert_close(logprob_T, results[0][0], atol=1e-12, rtol=0)
        assert worst_difference(gradient, results[0][1]) < 1e-10


def test_other_tokens_than_the_sampled_ones_can_be_asked_for() -> None:
    batch = make_batch()
    at_T = (batch.position_T > 0) & ~batch.action_T
    policy = Policy(make_model())
    asked_T = policy.logprobs(batch, at_T=at_T).logprob_T
    assert bool((asked_T[at_T] < 0).all())
    assert bool((asked_T[~at_T] == 0).all())
    torch.testing.assert_close(asked_T, policy.logprobs(replace(batch, action_T=at_T)).logprob_T)


def test_the_first_token_of_a_sequence_has_no_logprob_to_ask_for() -> None:
    with pytest.raises(ValueError, match="first token"):
        Policy(make_model()).logprobs(make_batch(), at_T=torch.ones(sum(LENGTHS), dtype=torch.bool))


def test_a_batch_without_sampled_tokens_gives_zeros() -> None:
    batch = make_batch()
    batch = replace(batch, action_T=torch.zeros_like(batch.action_T))
    output = Policy(make_model()).logprobs(batch, entropy=True)
    assert output.entropy_T is not None
    assert not output.logprob_T.any()
    assert not output.entropy_T.any()


def test_gradient_checkpointing_changes_nothing(tmp_path: Path) -> None:
    create_tiny(tmp_path, [], ["some text"], size="0.1m")
    batch, results = make_batch(), []
    for gradient_checkpointing in (False, True):
        policy = Policy.load(tmp_path, dtype="float64", gradient_checkpointing=gradient_checkpointing)
        policy.logprobs(batch).logprob_T.sum().backward()
        results.append(gradients(policy.model))
    assert worst_difference(*results) < 1e-12


def make_cohere_config() -> CohereConfig:
    shape = {key: value for key, value in SHAPE.items() if key != "head_dim"}
    return CohereConfig(**shape, logit_scale=0.1)


@pytest.mark.parametrize(
    "config",
    [Gemma2Config(**SHAPE, query_pre_attn_scalar=8), make_cohere_config()],
    ids=["logits capped", "logits scaled"],
)
def test_a_model_that_flat_rows_do_not_reproduce_is_refused(config: Gemma2Config | CohereConfig) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(ConfigError, match=r"not offer|flat rows"):
        Policy(model)


def test_a_saved_policy_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    create_tiny(tmp_path / "a", ["mug 1"], ["put the mug 1 there"], size="0.1m")
    policy = Policy.load(tmp_path / "a")
    policy.save(tmp_path / "b")
    again = Policy.load(str(tmp_path / "b"))
    assert again.tokenizer is not None
    assert again.tokenizer.chat_template
    for name, value in policy.weights().items():
        assert torch.equal(value, again.weights()[name])


def test_weights_are_loaded_in_place(tmp_path: Path) -> None:
    create_tiny(tmp_path, [], ["text"], size="0.1m", seed=1)
    other = create_tiny(tmp_path / "other", [], ["text"], size="0.1m", seed=2)
    policy = Policy.load(tmp_path)
    before = dict(policy.parameters())
    policy.load_weights(other)
    for name, value in Policy.load(other).parameters():
        assert before[name] is dict(policy.parameters())[name]
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("name", ["nowhere", "./nowhere", "/no/where", "a/b/c", "~/nowhere-at-all", "tests/nowhere"])
def test_a_path_that_is_not_there_is_a_clear_error_and_asks_no_network(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ConfigError, match="no model directory"):
        Policy.load(name)


def test_a_directory_without_a_model_and_a_wrong_dtype_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be loaded"):
        Policy.load(tmp_path)
    with pytest.raises(ConfigError, match="bfloat16"):
        Policy.load(tmp_path, dtype="int8")
