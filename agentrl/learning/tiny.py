"""A tiny language model and its tokenizer, made from nothing, that learn on a laptop in minutes.

What makes so small a model able to act is that a name it must copy from its context is one token, and the same one
wherever it stands: in the task, in an observation, in the JSON of a call. So the tokenizer first cuts the entries of a
lexicon out of the text, and learns byte pairs over the whole stretches in between, blanks included, which turns the
fixed parts of a transcript into a handful of tokens.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen3Config

from agentrl.errors import ConfigError
from agentrl.learning.policy import Policy
from agentrl.messages import Message

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"

CHAT_TEMPLATE = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\\n' }}
{%- if message.content is string -%}
{{ message.content }}
{%- elif message.content -%}
{%- for part in message.content if part.type == 'text' -%}{{ part.text }}{%- endfor -%}
{%- endif -%}
{%- for call in message.tool_calls or [] -%}
{{ '\\n' if message.content or not loop.first }}
{{- '<tool_call>\\n' -}}
{%- if call.function.name -%}
{{ '{"name": ' + call.function.name | tojson + ', "arguments": ' -}}
{{ call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}
{{- '}' -}}
{%- else -%}
{{ call.function.arguments }}
{%- endif -%}
{{ '\\n</tool_call>' -}}
{%- endfor -%}
{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""


@dataclass(frozen=True, slots=True)
class TinySize:
    """The shape of a tiny model: Qwen3's architecture."""

    hidden: int = 128
    num_layers: int = 2
    num_heads: int = 4
    num_kv_heads: int = 2
    feed_forward: int = 384
    tied: bool = True  # one matrix for the tokens read and written


SIZES: Mapping[str, TinySize] = MappingProxyType(
    {
        "0.1m": TinySize(hidden=64, feed_forward=192),
        "0.5m": TinySize(),
        "0.9m": TinySize(num_layers=4),
    }
)


def create_tiny(
    directory: str | Path,
    lexicon: Iterable[str],
    texts: Sequence[str],
    *,
    size: str | TinySize = "0.5m",
    vocabulary: int = 500,
    max_length: int = 2048,
    seed: int = 0,
) -> Path:
    """The directory, with an untrained model and a tokenizer in Hugging Face format.

    The chat template writes Qwen's form, each tool message a block of its own, but not the tools' schemas: a model of
    this size learns its tools from the transcripts it is warmed up on, and could not afford to read about them.

    Args:
        directory: Where to write.
        lexicon: Names that shall be one token each: objects, places, verbs.
        texts: Transcripts as the model will see them, template included.
        size: A name in SIZES, or the shape itself.
        vocabulary: Number of tokens, the lexicon's among them; never fewer than bytes, lexicon and special tokens need.
        max_length: Longest sequence.
        seed: Of the weights.

    Raises:
        ConfigError: There is no such size, or nothing to learn a tokenizer from.
    """
    if isinstance(size, str):
        if size not in SIZES:
            raise ConfigError(f"There is no tiny model of size {size!r}; there are {', '.join(SIZES)}.")
        size = SIZES[size]
    tokenizer = train_tokenizer(lexicon, texts, vocabulary=vocabulary)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.feed_forward,
        num_hidden_layers=size.num_layers,
        num_attention_heads=size.num_heads,
        num_key_value_heads=size.num_kv_heads,
        head_dim=size.hidden // size.num_heads,
        max_position_embeddings=max_length,
        tie_word_embeddings=size.tied,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids(END),
        # Naming the pad token would zero its embedding, and a zero row that is ever read has an enormous gradient.
        pad_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    Policy(model, tokenizer).save(directory)
    return Path(directory)


def train_tokenizer(lexicon: Iterable[str], texts: Sequence[str], *, vocabulary: int) -> PreTrainedTokenizerFast:
    """A tokenizer that reads every entry of the lexicon as one token, and any other text without loss."""
    if not texts:
        raise ConfigError("A tokenizer needs texts to learn from; got none.")
    entries = sorted({entry for entry in lexicon if entry}, key=lambda entry: (-len(entry), entry))
    specials = [PAD, START, END]
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = _splitter(entries, "removed")  # no merges for the names: they are given
    learner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary - len(entries),
            special_tokens=specials,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            min_frequency=2,
            show_progress=False,
        ),
    )
    learned: dict[str, Any] = json.loads(learner.to_str())["model"]
    tokens: dict[str, int] = learned["vocab"]
    for entry in entries:
        tokens.setdefault(_as_bytes(entry), len(tokens))
    merges = [(first, second) for first, second in learned["merges"]]
    # Stretches that are in the vocabulary as a whole are not put together by merges: so the entries need none.
    tokenizer = Tokenizer(models.BPE(vocab=tokens, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = _splitter(entries, "isolated")
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def _splitter(entries: Sequence[str], behavior: str) -> pre_tokenizers.PreTokenizer:
    """Cuts out the entries, the longest that fits first, where they are not part of a longer word."""
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if not entries:
        return to_bytes
    pattern = "|".join(re.escape(entry).replace(r"\ ", " ") for entry in entries)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(rf"(?<!\w)(?:{pattern})(?!\w)"), behavior), to_bytes])


def _as_bytes(text: str) -> str:
    """The text as a byte-level vocabulary spells it."""
    return "".join(piece for piece, _ in pre_tokenizers.ByteLevel(False, use_regex=False).pre_tokenize_str(text))


def transcripts(conversations: Iterable[Sequence[Message]]) -> list[str]:
    """The conversations as a tiny model will see them: what `create_tiny` makes its tokenizer for."""
    template = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), chat_template=CHAT_TEMPLATE)
    return [
        str(template.apply_chat_template([message.to_template() for message in conversation], tokenize=False))
        for conversation in conversations
    ]
