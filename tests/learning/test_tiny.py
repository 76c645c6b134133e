from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from agentrl.acting.renderer import Renderer
from agentrl.errors import ConfigError
from agentrl.learning.tiny import PAD, SIZES, TinySize, create_tiny, train_tokenizer
from agentrl.messages import Message, ToolCall

LEXICON = ["mug 1", "mug 10", "mug", "fridge 1", "go_to", "café", "a.b"]
CALL = '<tool_call>\n{"name": "go_to", "arguments": {"place": "fridge 1"}}\n</tool_call>'
TEXTS = [
    f"<|im_start|>user\nPut the mug {n % 12} in the fridge 1.<|im_end|>\n<|im_start|>assistant\n{CALL}<|im_end|>\n"
    for n in range(60)
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(LEXICON, TEXTS, vocabulary=400)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_tiny(tmp_path_factory.mktemp("tiny"), LEXICON, TEXTS, vocabulary=400)


def ids_of(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def pieces(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    return [tokenizer.decode([token]) for token in ids_of(tokenizer, text)]


@pytest.mark.parametrize("name", LEXICON)
def test_a_name_is_the_same_single_token_wherever_it_stands(tokenizer: PreTrainedTokenizerFast, name: str) -> None:
    for text in (name, f"Put the {name} there", f'{{"place": "{name}"}}', f"({name}).\n{name}", f" {name}"):
        assert name in pieces(tokenizer, text)
    assert len({tuple(ids_of(tokenizer, entry)) for entry in LEXICON}) == len(LEXICON)


def test_the_longest_name_wins_and_parts_of_words_are_no_names(tokenizer: PreTrainedTokenizerFast) -> None:
    assert pieces(tokenizer, "mug 10") == ["mug 10"]
    assert pieces(tokenizer, "mug 1 mug") == ["mug 1", " ", "mug"]
    assert pieces(tokenizer, "mug 100")[0] == "mug"
    assert "fridge 1" not in pieces(tokenizer, "fridge 10, minifridge 1")
    assert "a.b" not in pieces(tokenizer, "aXb")


@given(text=st.text())
def test_any_text_is_read_and_written_without_loss(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(ids_of(tokenizer, text)) == text


def test_a_call_is_a_handful_of_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    assert len(ids_of(tokenizer, CALL + "<|im_end|>")) <= 8


def test_the_vocabulary_is_as_large_as_asked_for() -> None:
    rich = ["".join(chr(97 + (7 * n * k) % 26) for k in range(1, 30)) + f" {n}" for n in range(300)]
    assert len(train_tokenizer(LEXICON, rich, vocabulary=333)) == 333


def test_padding_is_never_part_of_a_conversation(directory: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(directory)
    assert tokenizer.pad_token == PAD
    assert tokenizer.pad_token_id not in ids_of(tokenizer, "".join(TEXTS))
    assert AutoModelForCausalLM.from_pretrained(directory).config.pad_token_id is None


def test_the_stock_classes_load_it_and_the_model_has_its_vocabulary(directory: Path) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(directory), AutoModelForCausalLM.from_pretrained(directory)
    assert type(model).__name__ == "Qwen3ForCausalLM"
    assert model.config.vocab_size == len(tokenizer)
    assert tokenizer.decode(model.config.eos_token_id) == tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.decode(ids_of(tokenizer, TEXTS[0])) == TEXTS[0]


def test_the_default_size_has_about_half_a_million_parameters(tmp_path: Path) -> None:
    create_tiny(tmp_path, LEXICON, TEXTS * 5, vocabulary=400)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert 0.4e6 < sum(value.numel() for value in model.parameters()) < 0.5e6


def test_a_seed_gives_the_same_model_and_leaves_the_generators_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    paths = [create_tiny(tmp_path / str(n), LEXICON, TEXTS, size="0.1m", seed=seed) for n, seed in enumerate((1, 1, 2))]
    assert torch.equal(torch.rand(3), expected)
    first, again, other = ((path / "model.safetensors").read_bytes() for path in paths)
    assert first == again
    assert first != other
    assert (paths[0] / "tokenizer.json").read_bytes() == (paths[1] / "tokenizer.json").read_bytes()


def test_a_shape_of_one_s_own_and_a_size_that_there_is_not(tmp_path: Path) -> None:
    create_tiny(tmp_path, LEXICON, TEXTS, size=TinySize(hidden=32, num_layers=1, feed_forward=64, tied=False))
    config = AutoModelForCausalLM.from_pretrained(tmp_path).config
    assert (config.hidden_size, config.num_hidden_layers, config.tie_word_embeddings) == (32, 1, False)
    with pytest.raises(ConfigError, match=", ".join(SIZES)):
        create_tiny(tmp_path, LEXICON, TEXTS, size="7b")


def test_a_tokenizer_needs_texts() -> None:
    with pytest.raises(ConfigError, match="texts"):
        train_tokenizer(LEXICON, [], vocabulary=400)


def test_the_template_writes_qwen_s_form_with_a_block_for_every_tool_message(directory: Path) -> None:
    renderer = Renderer(AutoTokenizer.from_pretrained(directory))
    calls = (ToolCall("go_to", {"place": "fridge 1"}), ToolCall("say", {"text": 'é "x"'}))
    conversation = [
        Message("user", "Go."),
        Message("assistant", "Well.", calls),
        Message("tool", "ok"),
        Message("tool", "!"),
    ]
    assert renderer.text(renderer.prompt(conversation)) == (
        "<|im_start|>user\nGo.<|im_end|>\n"
        f"<|im_start|>assistant\nWell.\n{CALL}\n"
        '<tool_call>\n{"name": "say", "arguments": {"text": "é \\"x\\""}}\n</tool_call><|im_end|>\n'
        "<|im_start|>tool\nok<|im_end|>\n<|im_start|>tool\n!<|im_end|>\n<|im_start|>assistant\n"
    )
    written = renderer.encode(conversation[1])
    assert [(call.name, call.arguments) for call in renderer.parse(written).tool_calls] == [
        ("go_to", {"place": "fridge 1"}),
        ("say", {"text": 'é "x"'}),
    ]
    whole = renderer.prompt(conversation[:1]) + written + renderer.extension(conversation[2:])
    assert renderer.text(whole) == renderer.text(renderer.prompt(conversation))


def test_the_template_writes_a_call_that_could_not_be_read_as_it_was(directory: Path) -> None:
    renderer = Renderer(AutoTokenizer.from_pretrained(directory))
    broken = Message("assistant", "", (ToolCall("", '{"name": "go_to", "argu', "call_0"),))
    ids = renderer.encode(broken)
    assert renderer.text(ids) == '<tool_call>\n{"name": "go_to", "argu\n</tool_call><|im_end|>'
    assert renderer.parse(ids) == broken
