"""Renderer: messages to token ids and back; the only user of a tokenizer.

A conversation grows by appending. The ids of what the model wrote are never made again from text: `extension` gives
the ids that follow them, and `prompt` is rendered once, when a sequence opens.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from agentrl.acting.parsers import PARSERS
from agentrl.errors import ConfigError
from agentrl.messages import Message, ToolSchema

_QUESTION = Message("user", "?")
_ANSWER = "agentrl-probe"


class Renderer:
    """Renders through the tokenizer's own chat template.

    Args:
        tokenizer: A Hugging Face tokenizer with a chat template.
        parser: Name of the parser that reads the model's text, see `agentrl.acting.parsers`.

    Raises:
        ConfigError: There is no chat template, or it rewrites the past when a message is added.
    """

    def __init__(self, tokenizer: Any, *, parser: str = "hermes") -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise ConfigError("The tokenizer has no chat template; use an instruction-tuned model, or set one.")
        if parser not in PARSERS:
            raise ConfigError(f"There is no parser {parser!r}; there are {', '.join(PARSERS)}.")
        self._tokenizer = tokenizer
        self._parse: Callable[[str], Message] = PARSERS[parser]
        self._answered = self._template((_QUESTION, Message("assistant", _ANSWER)))
        self._check_append_only()
        tail = self._answered.rpartition(_ANSWER)[2]
        tail_ids = self._encode_text(tail)
        if not tail_ids:
            raise ConfigError("The chat template closes an assistant message with nothing: no token can end a turn.")
        self.end_of_turn_id: int = tail_ids[0]
        self._after_turn: str = tail.removeprefix(tokenizer.decode([self.end_of_turn_id]))
        eos = tokenizer.eos_token_id
        self.stop_ids: tuple[int, ...] = tuple(dict.fromkeys([self.end_of_turn_id, *([] if eos is None else [eos])]))
        self.num_tokens = len(tokenizer)  # that there are to choose from
        opening = self._template((_QUESTION,), add_generation_prompt=True).rpartition(_QUESTION.text)[2]
        self.opening_ids: tuple[int, ...] = self._encode_text(opening)  # between a user's text and the assistant's
        self._extension = lru_cache(maxsize=65536)(self._extend)

    def prompt(self, messages: Sequence[Message], tools: Sequence[ToolSchema] = ()) -> tuple[int, ...]:
        """The ids of a whole conversation, up to where the assistant begins to write."""
        self._refuse_images(messages)
        return self._encode_text(self._template(messages, tools, add_generation_prompt=True))

    def extension(self, messages: Sequence[Message], *, close_turn: bool = False) -> tuple[int, ...]:
        """The ids that follow an assistant turn: the observation, up to where the assistant begins to write again.

        Args:
            messages: The observation.
            close_turn: The turn was cut off; its end-of-turn token comes first.
        """
        self._refuse_images(messages)
        ids = self._extension(tuple(messages))
        return (self.end_of_turn_id, *ids) if close_turn else ids

    def encode(self, message: Message) -> tuple[int, ...]:
        """The ids that a model would sample to say an assistant message, its end of turn included."""
        text = self._template((_QUESTION, message))
        before = self._template((_QUESTION,), add_generation_prompt=True)
        return self._encode_text(text.removeprefix(before).removesuffix(self._after_turn))

    def text_ids(self, text: str) -> tuple[int, ...]:
        """The ids of a text by itself, without any template."""
        return self._encode_text(text)

    def parse(self, ids: Sequence[int]) -> Message:
        """The message that sampled ids say."""
        kept = [token for token in ids if token not in self.stop_ids]
        return self._parse(self._tokenizer.decode(kept))

    def text(self, ids: Sequence[int]) -> str:
        """The text of the ids, special tokens included."""
        return self._tokenizer.decode(list(ids))

    def _extend(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        conversation = (_QUESTION, Message("assistant", _ANSWER), *messages)
        text = self._template(conversation, add_generation_prompt=True)
        return self._encode_text(self._after_turn + text.removeprefix(self._answered))

    def _template(self, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), **options: Any) -> str:
        return self._tokenizer.apply_chat_template(
            [message.to_template() for message in messages],
            tools=[tool.to_openai() for tool in tools] or None,
            tokenize=False,
            **options,
        )

    def _encode_text(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _check_append_only(self) -> None:
        """A template that changes what it rendered before would make the model read other ids than it wrote."""
        for reply in (Message("tool", "!", name="probe"), Message("user", "!")):
            text = self._template((_QUESTION, Message("assistant", _ANSWER), reply), add_generation_prompt=True)
            if not text.startswith(self._answered):
                raise ConfigError(
                    f"The chat template is not append-only: a {reply.role} message changes the text before it. "
                    f"Was: {self._answered!r}. Became: {text[: len(self._answered)]!r}."
                )

    @staticmethod
    def _refuse_images(messages: Sequence[Message]) -> None:
        if any(message.images for message in messages):
            raise ConfigError("An observation holds an image, but the renderer was made from a text-only tokenizer.")
