import pytest

from agentrl.acting.agent import ScriptedAgent, TokenAgent
from agentrl.acting.engine import Completion, Sampling
from agentrl.acting.environment import Environment
from agentrl.acting.renderer import Renderer
from agentrl.errors import ConfigError
from agentrl.learning.tiny import train_tokenizer, transcripts
from agentrl.messages import ImagePart, Message, TextPart, ToolCall

CALL = Message("assistant", "", (ToolCall("take", {"object": "mug 1"}, "call_0"),))
CONVERSATION = (Message("user", "Take the mug."), CALL, Message("tool", "Found mug 1.", name="take"))
QWEN_LIKE = """\
{%- for message in messages -%}
{%- if message.role == 'tool' -%}
{%- if loop.index0 == 0 or messages[loop.index0 - 1].role != 'tool' -%}{{ '<|im_start|>user' }}{%- endif -%}
{{ '\n<tool_response>\n' + message.content + '\n</tool_response>' }}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}{{ '<|im_end|>\n' }}{%- endif -%}
{%- else -%}
{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}
"""


def tokenizer(template=None):
    made = train_tokenizer(["mug 1", "mug"], transcripts([CONVERSATION] * 4), vocabulary=300)
    if template:
        made.chat_template = template
    return made


@pytest.fixture(scope="module")
def renderer():
    return Renderer(tokenizer())


def test_a_prompt_reads_as_the_template_writes_it(renderer):
    ids = renderer.prompt([Message("system", "Be brief."), Message("user", "Hi.")])
    assert renderer.text(ids) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\n"
    )


def test_prompt_action_and_extension_lie_end_to_end_as_the_template_writes_the_whole(renderer):
    ids = renderer.prompt(CONVERSATION[:1]) + renderer.encode(CALL) + renderer.extension(CONVERSATION[2:])
    assert renderer.text(ids) == transcripts([CONVERSATION])[0] + "<|im_start|>assistant\n"


@pytest.mark.parametrize("template", [None, QWEN_LIKE])
def test_several_tool_messages_extend_as_one_observation(template):
    renderer = Renderer(tokenizer(template))
    answers = [Message("tool", "one", name="a"), Message("tool", "two", name="b")]
    text = renderer.text(renderer.extension(answers))
    if template:
        assert text == (
            "\n<|im_start|>user\n<tool_response>\none\n</tool_response>\n<tool_response>\ntwo\n</tool_response>"
            "<|im_end|>\n<|im_start|>assistant\n"
        )
    else:
        assert text == ("\n<|im_start|>tool\none<|im_end|>\n<|im_start|>tool\ntwo<|im_end|>\n<|im_start|>assistant\n")


def test_a_turn_that_was_cut_off_is_closed_before_what_follows(renderer):
    messages = [Message("tool", "ok", name="take")]
    assert renderer.extension(messages, close_turn=True) == (renderer.end_of_turn_id, *renderer.extension(messages))


def test_what_is_encoded_is_parsed_back(renderer):
    assert renderer.parse(renderer.encode(CALL)) == CALL
    assert renderer.parse(renderer.encode(Message("assistant", "All done."))) == Message("assistant", "All done.")
    assert renderer.encode(CALL)[-1] in renderer.stop_ids


def test_any_text_goes_through_tokens_and_back(renderer):
    text = "mug 12, mugs \u00e9\u4e2d\U0001f600 \x00 <tool_cal"
    assert renderer.parse(renderer.encode(Message("assistant", text))).text == text


def test_a_template_that_rewrites_the_past_is_refused():
    forgetful = (
        "{%- for message in messages[-1:] -%}{{ '<|im_start|>' + message.content + '<|im_end|>\n' }}{%- endfor -%}"
    )
    with pytest.raises(ConfigError, match="not append-only"):
        Renderer(tokenizer(forgetful))


def test_a_missing_template_and_a_wrong_parser_are_named():
    bare = tokenizer()
    bare.chat_template = None
    with pytest.raises(ConfigError, match="no chat template"):
        Renderer(bare)
    with pytest.raises(ConfigError, match="no parser 'hermse'"):
        Renderer(tokenizer(), parser="hermse")


def test_an_image_is_refused_by_a_text_only_tokenizer(renderer):
    picture = Message("user", (TextPart("Look:"), ImagePart(b"png")))
    with pytest.raises(ConfigError, match="text-only"):
        renderer.prompt([picture])
    with pytest.raises(ConfigError, match="text-only"):
        renderer.extension([picture])


class Echo:
    """An engine that completes with the same ids, and remembers its prompts."""

    def __init__(self, ids, truncated=False):
        self.ids, self.truncated, self.prompts, self.released = tuple(ids), truncated, [], []

    async def generate(self, prompt_ids, sampling, *, session=""):
        self.prompts.append(tuple(prompt_ids))
        ids = self.ids[: sampling.max_tokens]
        return Completion(ids=ids, logprobs=(-1.0,) * len(ids), truncated=self.truncated or len(ids) < len(self.ids))

    def release(self, session):
        self.released.append(session)

    async def close(self):
        pass


def conversation(renderer, engine, max_tokens=50, max_sequence_tokens=500):
    agent = TokenAgent(engine, renderer, Sampling(max_tokens=max_tokens), max_sequence_tokens)
    return agent.start(Environment(), "t", seed=0)


async def test_the_ledger_is_what_the_engine_saw_turn_after_turn(renderer):
    engine = Echo(renderer.encode(CALL))
    talk = conversation(renderer, engine)
    first = await talk.act([Message("user", "Take the mug.")])
    second = await talk.act([Message("tool", "ok", name="take")])
    assert first.opens_sequence
    assert not second.opens_sequence
    assert engine.prompts[0] == first.context_ids
    assert engine.prompts[1] == first.context_ids + first.completion.ids + second.context_ids
    talk.close()
    assert engine.released == ["t"]


async def test_a_rewritten_context_opens_a_new_sequence(renderer):
    engine = Echo(renderer.encode(CALL))
    talk = conversation(renderer, engine)
    await talk.act([Message("user", "Take the mug.")])
    action = await talk.act([Message("user", "A summary.")], rewrite=True)
    assert action.opens_sequence
    assert engine.prompts[1] == action.context_ids == renderer.prompt([Message("user", "A summary.")])


async def test_a_full_context_gives_no_action_and_a_nearly_full_one_a_short_one(renderer):
    messages = [Message("user", "Take the mug.")]
    length = len(renderer.prompt(messages))
    engine = Echo(renderer.encode(CALL))
    assert await conversation(renderer, engine, max_sequence_tokens=length).act(messages) is None
    talk = conversation(renderer, engine, max_sequence_tokens=length + 1)
    action = await talk.act(messages)
    assert len(action.completion.ids) == 1
    assert await talk.act([Message("tool", "ok", name="take")]) is None


async def test_a_script_with_a_renderer_writes_the_same_ledger_as_an_engine_would(renderer):
    agent = ScriptedAgent(lambda environment, rng: lambda messages: CALL, renderer)
    talk = agent.start(Environment(), "t", seed=0)
    engine = Echo(renderer.encode(CALL))
    other = conversation(renderer, engine)
    for messages in ([Message("user", "Take the mug.")], [Message("tool", "ok", name="take")]):
        played, sampled = await talk.act(messages), await other.act(messages)
        assert played.context_ids == sampled.context_ids
        assert played.completion.ids == sampled.completion.ids
        assert played.message == sampled.message


def test_a_prompt_ends_with_what_opens_the_assistants_message(renderer):
    ids = renderer.prompt([Message("system", "Be brief."), Message("user", "Where is it?")])
    assert ids[-len(renderer.opening_ids) :] == renderer.opening_ids
    assert renderer.text(renderer.opening_ids) == "<|im_end|>\n<|im_start|>assistant\n"
    hint = renderer.text_ids(" Found mug 1.")
    told = renderer.prompt([Message("system", "Be brief."), Message("user", "Where is it? Found mug 1.")])
    assert renderer.text((*ids[: -len(renderer.opening_ids)], *hint, *renderer.opening_ids)) == renderer.text(told)


def test_a_text_by_itself_gets_no_template(renderer):
    assert renderer.text(renderer.text_ids("mug 1 is in it")) == "mug 1 is in it"
