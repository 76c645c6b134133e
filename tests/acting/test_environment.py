import pytest

from agentrl.acting.context import Context
from agentrl.acting.environment import Environment, Step, ToolEnvironment
from agentrl.acting.rewards import reward
from agentrl.acting.tool import tool
from agentrl.errors import ConfigError
from agentrl.messages import ImagePart, Message, TextPart, ToolCall
from agentrl.trajectory import CallStatus, Task


class Counter(Environment):
    async def reset(self, task: Task) -> str:
        self.count, self.target = 0, task.data["target"]
        return f"Increment the counter to {self.target}."

    @tool
    async def add(self, amount: int) -> int:
        """Add to the counter.

        Args:
            amount: What to add.
        """
        self.count += amount
        return self.count

    @property
    def terminated(self) -> bool:
        return self.count >= self.target

    @reward
    async def reached(self) -> float:
        return float(self.count == self.target)


@tool
async def search(query: str) -> str:
    """Search."""
    return f"nothing about {query}"


def calling(*calls: ToolCall) -> Message:
    return Message("assistant", "", calls)


def add(amount: int) -> ToolCall:
    return ToolCall("add", {"amount": amount}, f"call_{amount}")


async def started(target: int = 5) -> Counter:
    task = Task("t", data={"target": target})
    counter = Counter()
    counter.context = Context(task)
    assert await counter.reset(task) == f"Increment the counter to {target}."
    return counter


async def test_a_step_runs_the_calls_of_the_message_and_answers_them() -> None:
    counter = await started()
    step = await counter.step(calling(add(1), add(2)))
    assert step.observation == (
        Message("tool", "1", tool_call_id="call_1", name="add"),
        Message("tool", "3", tool_call_id="call_2", name="add"),
    )
    assert not step.terminated
    assert [result.status for result in step.results] == [CallStatus.OK, CallStatus.OK]


async def test_a_step_terminates_when_the_environment_says_so_after_the_calls() -> None:
    counter = await started()
    assert (await counter.step(calling(add(5)))).terminated
    assert await counter.reached() == 1.0


async def test_a_message_without_calls_ends_the_trajectory() -> None:
    counter = await started()
    assert await counter.step(Message("assistant", "I am done.")) == Step(terminated=True)


async def test_a_call_that_cannot_be_read_does_not_end_the_trajectory() -> None:
    counter = await started()
    step = await counter.step(calling(ToolCall("", "{")))
    assert not step.terminated
    assert [result.status for result in step.results] == [CallStatus.INVALID_ARGUMENTS]


async def test_instances_do_not_share_state() -> None:
    one, two = await started(), await started()
    await one.step(calling(add(1)))
    assert (one.count, two.count) == (1, 0)


def test_the_model_is_told_about_the_marked_methods() -> None:
    (schema,) = Counter().tool_schemas()
    assert (schema.name, schema.description) == ("add", "Add to the counter.")
    assert schema.parameters["properties"] == {"amount": {"type": "integer", "description": "What to add."}}


async def test_what_a_subclass_must_or_may_define_says_so() -> None:
    class Empty(Environment):
        pass

    with pytest.raises(NotImplementedError, match="Empty must define"):
        await Empty().reset(Task("t"))
    with pytest.raises(NotImplementedError, match="Empty does not offer snapshots"):
        Empty().restore(None)
    assert Empty().state_key() is None
    assert Empty().snapshot() is None
    assert not Empty().terminated
    await Empty().close()


async def test_a_tool_environment_asks_the_tasks_prompt() -> None:
    environment = ToolEnvironment(tools=[search])
    task = Task("t", data={"prompt": "Who?"})
    environment.context = Context(task)
    assert await environment.reset(task) == (Message("user", "Who?"),)
    step = await environment.step(calling(ToolCall("search", {"query": "x"})))
    assert [result.content for result in step.results] == ["nothing about x"]
    assert (await environment.step(Message("assistant", "Nobody."))).terminated


async def test_a_prompt_may_be_messages_with_images() -> None:
    image = ImagePart(b"\x89PNG")
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": image.url}}]
    prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
    environment = ToolEnvironment(prompt_key="question")
    assert await environment.reset(Task("t", data={"question": prompt})) == (
        Message("system", "Be brief."),
        Message("user", (TextPart("What is it?"), image)),
    )


async def test_a_task_without_prompt_is_a_wrong_description_of_the_run() -> None:
    with pytest.raises(ConfigError, match=r"The task 't' needs a text, .* under 'prompt'; it has 'question'"):
        await ToolEnvironment().reset(Task("t", data={"question": "Who?"}))
    with pytest.raises(ConfigError, match="it has nothing"):
        await ToolEnvironment().reset(Task("t"))


def test_a_tool_environment_offers_given_tools_and_marked_methods() -> None:
    class Notes(ToolEnvironment):
        @tool
        async def note(self, text: str) -> str:
            """Take a note."""
            return text

    assert list(Notes(tools=[search]).tools) == ["note", "search"]
    with pytest.raises(ConfigError, match="Two tools are called 'search'"):
        ToolEnvironment(tools=[search, search])
