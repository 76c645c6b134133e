"""A model that samples token ids, asked in messages."""

from agentrl.acting.agent import ChatAgent, ChatModel, ScriptedAgent, TokenAgent
from agentrl.acting.engine import Completion, Sampling
from agentrl.acting.token_model import POLICY, TokenModel, with_policy
from agentrl.messages import Message, ToolSchema

TOOL = ToolSchema("look", "Look.", {"type": "object", "properties": {}})


class Letters:
    """A renderer in which a character is a token."""

    def prompt(self, messages, tools=()):
        return tuple(map(ord, "|".join([*(message.text for message in messages), *(tool.name for tool in tools)])))

    def parse(self, ids):
        return Message("assistant", "".join(map(chr, ids)))


class Echo:
    """An engine that says the end of its prompt again."""

    def __init__(self):
        self.calls = []

    async def generate(self, prompt_ids, sampling, *, session=""):
        self.calls.append((sampling, session))
        ids = tuple(prompt_ids[-sampling.max_tokens :])
        return Completion(ids=ids, logprobs=(0.0,) * len(ids))


def model_of(engine, *, max_sequence_tokens=100):
    sampling = Sampling(max_tokens=4, temperature=0.7, stop_ids=(0,))
    return TokenModel(TokenAgent(engine, Letters(), sampling, max_sequence_tokens))


async def test_a_question_is_a_prompt_of_its_own_and_the_sampled_ids_are_the_answer():
    engine = Echo()
    model: ChatModel = model_of(engine)
    for _ in range(2):
        assert await model.chat((Message("user", "see?"),), (TOOL,), seed=3) == Message("assistant", "look")
    assert engine.calls == [(Sampling(max_tokens=4, temperature=0.7, stop_ids=(0,), seed=3), "")] * 2


async def test_an_answer_ends_where_the_context_does_and_there_is_none_without_room():
    engine = Echo()
    assert (await model_of(engine, max_sequence_tokens=7).chat((Message("user", "hello"),), (), seed=0)).text == "lo"
    assert await model_of(engine, max_sequence_tokens=5).chat((Message("user", "hello"),), (), seed=0) is None
    assert len(engine.calls) == 1


def test_the_model_behind_an_agent_is_among_the_resources():
    model = model_of(Echo())
    assert with_policy({"index": 1}, model.agent) == {"index": 1, POLICY: model}
    assert with_policy({}, ChatAgent(model)) == {POLICY: model}
    assert with_policy({"index": 1}, ScriptedAgent(lambda environment, rng: lambda messages: messages[0])) == {
        "index": 1
    }
