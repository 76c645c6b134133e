import enum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from agentrl.acting.content import as_content, truncate
from agentrl.messages import ImagePart, TextPart


class Place(BaseModel):
    name: str
    at: tuple[int, int]


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("as it is", "as it is"),
        ("", ""),
        (3, "3"),
        (2.5, "2.5"),
        (True, "true"),
        (None, "null"),
        ([1, "a"], '[1,"a"]'),
        ([], "[]"),
        ({"a": {"b": None}}, '{"a":{"b":null}}'),
        (Place(name="x", at=(1, 2)), '{"name":"x","at":[1,2]}'),
        ([Place(name="x", at=(1, 2))], '[{"name":"x","at":[1,2]}]'),
        (Colour.RED, '"red"'),
        (float("nan"), "NaN"),
        ("caf\u00e9", "caf\u00e9"),
        (["caf\u00e9"], '["caf\u00e9"]'),
        ("half \ud800 pair", "half \ufffd pair"),
    ],
)
def test_values_become_text(value: object, content: str) -> None:
    assert as_content(value) == content


def test_parts_stay_parts() -> None:
    text, image = TextPart("see"), ImagePart(b"\x89PNG")
    assert as_content(image) == (image,)
    assert as_content(text) == (text,)
    assert as_content([text, image]) == (text, image)
    assert as_content((image, text)) == (image, text)


def test_what_is_no_json_is_an_error() -> None:
    with pytest.raises(ValueError, match="object"):
        as_content(object())


def test_a_long_text_loses_its_middle_and_says_how_much() -> None:
    content, num_left_out = truncate("a" * 10 + "b" * 10, 7)
    assert content == "aaaa\n[... 13 characters left out ...]\nbbb"
    assert num_left_out == 13


def test_parts_share_the_characters_and_images_stay() -> None:
    image = ImagePart(b"x")
    content, num_left_out = truncate((TextPart("abcd"), image, TextPart("efghij"), TextPart("k")), 6)
    assert content == (
        TextPart("abcd"),
        image,
        TextPart("e\n[... 4 characters left out ...]\nj"),
        TextPart("\n[... 1 characters left out ...]\n"),
    )
    assert num_left_out == 5


@given(st.text(max_size=60), st.integers(1, 40))
def test_what_is_kept_and_what_is_left_out_make_the_whole(text: str, limit: int) -> None:
    content, num_left_out = truncate(text, limit)
    assert isinstance(content, str)
    notice = f"\n[... {num_left_out} characters left out ...]\n"
    kept = content.replace(notice, "") if num_left_out else content
    assert len(kept) + num_left_out == len(text)
    assert len(kept) <= limit
    assert text.startswith(kept[: (limit + 1) // 2])
