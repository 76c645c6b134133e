import asyncio
import contextlib
import sys
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrl.acting.context import Context, ToolLimits
from agentrl.acting.deadline import MAX_THREADS, THREAD_NAME, num_abandoned_tasks, num_abandoned_threads
from agentrl.acting.environment import Environment
from agentrl.acting.rules import Rules, deny
from agentrl.acting.tool import AnyTool, by_name, tool
from agentrl.acting.tool_caller import call_tools
from agentrl.errors import ConfigError, RolloutError, SandboxError, ToolError
from agentrl.messages import ImagePart, ToolCall
from agentrl.trajectory import CallStatus, Task, ToolResult


@tool
async def echo(text: str) -> str:
    """Give the text back."""
    return text


@tool
async def refuse() -> str:
    """Refuse."""
    raise ToolError("There is no door here.")


@tool(timeout_seconds=0.01)
async def hang() -> str:
    """Never return."""
    await asyncio.Event().wait()
    return ""


@tool
async def break_down() -> str:
    """Fail."""
    raise ConnectionError("the server is gone")


def join_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join(30)


def fresh(**fields: Any) -> Context:
    return Context(Task("t"), **fields)


async def call(tools: Sequence[AnyTool], *calls: ToolCall, context: Context | None = None) -> tuple[ToolResult, ...]:
    return await call_tools(calls, by_name(tools), context or fresh())


async def test_a_call_is_answered_with_what_the_tool_returns() -> None:
    written = ToolCall("echo", {"text": "hello"}, "call_7")
    (result,) = await call([echo], written)
    assert result.call is written
    assert (result.status, result.content, result.num_attempts) == (CallStatus.OK, "hello", 1)
    message = result.message()
    assert (message.role, message.text, message.tool_call_id, message.name) == ("tool", "hello", "call_7", "echo")


async def test_no_calls_give_no_results() -> None:
    assert await call([echo]) == ()


async def test_a_tool_error_is_shown_to_the_model() -> None:
    (result,) = await call([refuse], ToolCall("refuse", {}))
    assert (result.status, result.content) == (CallStatus.TOOL_ERROR, "There is no door here.")


async def test_a_tool_error_without_text_still_says_something() -> None:
    @tool
    async def mute() -> str:
        """Fail in silence."""
        raise ToolError

    (result,) = await call([mute], ToolCall("mute", {}))
    assert (result.status, result.content) == (CallStatus.TOOL_ERROR, "mute failed without saying why.")


async def test_an_unknown_tool_is_answered_with_near_misses_or_with_all_names() -> None:
    near, far = await call([echo, refuse], ToolCall("ecko", {}), ToolCall("fly", {}))
    assert (near.status, near.content) == (CallStatus.UNKNOWN_TOOL, 'There is no tool "ecko". Did you mean echo?')
    assert (far.status, far.content) == (CallStatus.UNKNOWN_TOOL, 'There is no tool "fly". The tools are echo, refuse.')


async def test_arguments_that_do_not_fit_are_answered_with_what_is_expected() -> None:
    (result,) = await call([echo], ToolCall("echo", {"txt": "a"}))
    assert result.status == CallStatus.INVALID_ARGUMENTS
    assert result.content == (
        "echo was not called. text: Field required; txt: Extra inputs are not permitted. Expected: echo(text: string)."
    )
    assert result.num_attempts == 0


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (ToolCall("echo", '{"text": "a"'), "the arguments of echo could not be read, it is not JSON (Expecting ','"),
        (ToolCall("echo", "[1]"), "the arguments of echo could not be read, it is not an object of the expected form"),
        (ToolCall("", "{name: echo}"), "the call could not be read, it is not JSON (Expecting property name"),
        (ToolCall("", '{"tool": "echo"}'), "the call could not be read, it is not an object of the expected form"),
        (ToolCall("", "[" * 100_000), "the call could not be read, it is not JSON (more than 64 levels of brackets)"),
        (ToolCall("", {}), "the call could not be read, it names no tool"),
    ],
)
async def test_a_call_that_cannot_be_read_is_answered_with_the_expected_form(written: ToolCall, why: str) -> None:
    (result,) = await call([echo], written)
    assert result.status == CallStatus.INVALID_ARGUMENTS
    assert isinstance(result.content, str)
    assert result.content.startswith(f"Nothing was called: {why}")
    assert '{"name": <tool>, "arguments": {<parameter>: <value>, ...}}' in result.content
    assert result.content.endswith("The tools are echo.")
    assert len(result.content) < 600


async def test_a_denied_call_is_not_made_and_does_not_count_against_the_budget() -> None:
    context = fresh(rules=Rules((deny("echo", lambda arguments: arguments["text"] == "secret", reason="Not that."),)))
    denied, allowed = await call(
        [echo], ToolCall("echo", {"text": "secret"}), ToolCall("echo", {"text": "x"}), context=context
    )
    assert (denied.status, denied.content) == (CallStatus.DENIED, "Not that.")
    assert allowed.status == CallStatus.OK
    assert context.num_calls == 1


async def test_calls_beyond_the_turns_and_beyond_the_trajectorys_limit_are_answered_and_not_made() -> None:
    context = fresh(limits=ToolLimits(max_calls_per_turn=2, max_calls=3))
    calls = [ToolCall("echo", {"text": str(number)}) for number in range(3)]
    first = await call([echo], *calls, context=context)
    assert [result.status for result in first] == [CallStatus.OK, CallStatus.OK, CallStatus.LIMIT]
    assert first[2].content == "echo was not called: at most 2 calls may be made at a time."
    second = await call([echo], *calls[:2], context=context)
    assert [result.status for result in second] == [CallStatus.OK, CallStatus.LIMIT]
    assert second[1].content == "echo was not called: all 3 calls have been used."
    assert context.num_calls == 3


async def test_a_tool_that_never_returns_ends_at_its_deadline_and_the_calls_beside_it_are_answered() -> None:
    read_only_hang = tool(read_only=True, timeout_seconds=0.01, name="look")(hang.function)
    read_only_echo = tool(read_only=True)(echo.function)
    calls = [ToolCall("look", {}), ToolCall("echo", {"text": "a"}), ToolCall("look", {})]
    results = await call([read_only_hang, read_only_echo], *calls)
    assert [result.status for result in results] == [CallStatus.TIMEOUT, CallStatus.OK, CallStatus.TIMEOUT]
    assert results[0].content == "look did not finish within 0.01 s and was stopped."
    assert results[0].seconds >= 0.01


async def test_the_trajectorys_deadline_holds_for_tools_that_allow_themselves_more() -> None:
    @tool(timeout_seconds=1000)
    async def slow() -> str:
        """Take long."""
        await asyncio.Event().wait()
        return ""

    (result,) = await call([slow], ToolCall("slow", {}), context=fresh(limits=ToolLimits(call_seconds=0.01)))
    assert result.status == CallStatus.TIMEOUT


async def test_the_calls_of_a_turn_share_its_time() -> None:
    @tool(read_only=True)
    async def slow() -> str:
        """Take long."""
        await asyncio.Event().wait()
        return ""

    calls = [ToolCall("slow", {})] * 2 + [ToolCall("echo", {"text": "a"})]
    enough = fresh(limits=ToolLimits(call_seconds=0.02, turn_seconds=10))
    results = await call([slow, echo], *calls, context=enough)
    assert [result.status for result in results] == [CallStatus.TIMEOUT, CallStatus.TIMEOUT, CallStatus.OK]
    too_little = fresh(limits=ToolLimits(call_seconds=10, turn_seconds=0.02))
    results = await call([slow, echo], *calls, context=too_little)
    assert [result.status for result in results] == [CallStatus.TIMEOUT] * 3
    assert results[1].num_attempts == 1
    assert results[1].seconds < 5
    assert results[2].content == "echo was not called: the calls before it used up the time of this turn."
    assert results[2].num_attempts == 0


async def test_an_answer_to_a_call_that_is_not_made_is_bounded_too() -> None:
    written = [ToolCall("x" * 100_000, {}), ToolCall("echo", {"y" * 100_000: 1}), ToolCall("z" * 100_000, "{")]
    results = await call([echo], *written, context=fresh(limits=ToolLimits(max_characters=1000)))
    assert all(len(result.content) < 1100 for result in results)


async def test_a_tool_that_ignores_its_cancellation_is_abandoned() -> None:
    released = asyncio.Event()

    @tool(timeout_seconds=0.01)
    async def stubborn() -> str:
        """Never return, whatever happens."""
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()
        return ""

    first, second = await call([stubborn, echo], ToolCall("stubborn", {}), ToolCall("echo", {"text": "a"}))
    assert (first.status, second.status) == (CallStatus.TIMEOUT, CallStatus.OK)
    assert num_abandoned_tasks() == 1
    released.set()
    await asyncio.sleep(0.01)
    assert num_abandoned_tasks() == 0


async def test_synchronous_tools_that_hang_delay_nobody_even_when_they_are_more_than_there_are_threads() -> None:
    released = threading.Event()

    @tool(timeout_seconds=0.05, read_only=True)
    def block() -> str:
        """Hang in a thread."""
        released.wait()
        return ""

    @tool
    def double(x: int) -> int:
        """Double in a thread."""
        return 2 * x

    num_calls = MAX_THREADS + 3
    limits = ToolLimits(max_calls_per_turn=num_calls)
    blocked = await call([block], *[ToolCall("block", {})] * num_calls, context=fresh(limits=limits))
    assert {result.status for result in blocked} == {CallStatus.TIMEOUT}
    assert num_abandoned_threads() == num_calls
    assert max(result.queue_seconds for result in blocked) >= 0.04
    (result,) = await call([double], ToolCall("double", {"x": 4}))
    assert (result.status, result.content) == (CallStatus.OK, "8")
    released.set()
    join_threads()
    assert num_abandoned_threads() == 0


async def test_the_event_loop_runs_on_while_a_synchronous_tool_blocks() -> None:
    released = threading.Event()

    @tool(read_only=True)
    def block() -> str:
        """Wait for the other."""
        return str(released.wait(30))

    @tool(read_only=True)
    async def release() -> str:
        """Let the other go on."""
        released.set()
        return "released"

    results = await call([block, release], ToolCall("block", {}), ToolCall("release", {}))
    assert [result.content for result in results] == ["True", "released"]


async def test_adjacent_read_only_calls_run_together() -> None:
    barrier = asyncio.Barrier(3)

    @tool(read_only=True)
    async def look(number: int) -> int:
        """Return when three look."""
        await barrier.wait()
        return number

    results = await call([look], *[ToolCall("look", {"number": number}) for number in (2, 0, 1)])
    assert [result.content for result in results] == ["2", "0", "1"]


async def test_a_call_that_may_change_something_waits_for_those_before_and_is_waited_for() -> None:
    log: list[str] = []

    async def act(name: str) -> str:
        log.append(f"+{name}")
        for _ in range(5):
            await asyncio.sleep(0)
        log.append(f"-{name}")
        return name

    @tool(read_only=True)
    async def look(name: str) -> str:
        """Change nothing."""
        return await act(name)

    @tool
    async def move(name: str) -> str:
        """Change something."""
        return await act(name)

    calls = [("look", "a"), ("look", "b"), ("move", "c"), ("move", "d"), ("fly", ""), ("look", "e"), ("look", "f")]
    results = await call([look, move], *[ToolCall(tool_name, {"name": name}) for tool_name, name in calls])
    assert [result.call.arguments for result in results] == [{"name": name} for _, name in calls]
    assert log == ["+a", "+b", "-a", "-b", "+c", "-c", "+d", "-d", "+e", "+f", "-e", "-f"]


async def test_a_limit_on_concurrent_calls_holds_over_trajectories() -> None:
    running, most = 0, 0

    @tool(read_only=True, max_concurrent=2)
    async def work() -> str:
        """Work."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return ""

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call([work], *[ToolCall("work", {})] * 3)) for _ in range(4)]
    results = [result for task in tasks for result in task.result()]
    assert len(results) == 12
    assert most == 2
    assert max(result.queue_seconds for result in results) > 0


async def test_failures_of_the_machinery_are_tried_again_as_often_as_the_tool_allows() -> None:
    attempts: list[int] = []

    @tool(read_only=True, retries=2)
    async def flaky(fails: int) -> str:
        """Fail some times."""
        attempts.append(fails)
        if len(attempts) <= fails:
            raise ConnectionError("try again")
        return "at last"

    (result,) = await call([flaky], ToolCall("flaky", {"fails": 2}))
    assert (result.status, result.content, result.num_attempts) == (CallStatus.OK, "at last", 3)
    attempts.clear()
    with pytest.raises(SandboxError, match="the tool flaky: ConnectionError: try again"):
        await call([flaky], ToolCall("flaky", {"fails": 9}))
    assert len(attempts) == 3


async def test_the_models_mistakes_and_deadlines_are_not_tried_again() -> None:
    attempts: list[str] = []

    @tool(retries=3)
    async def locked() -> str:
        """Be locked."""
        attempts.append("locked")
        raise ToolError("It is locked.")

    @tool(retries=3, timeout_seconds=0.01)
    async def slow() -> str:
        """Be slow."""
        attempts.append("slow")
        await asyncio.Event().wait()
        return ""

    results = await call([locked, slow], ToolCall("locked", {}), ToolCall("slow", {}))
    assert [result.status for result in results] == [CallStatus.TOOL_ERROR, CallStatus.TIMEOUT]
    assert attempts == ["locked", "slow"]


async def test_repeated_failures_end_at_the_deadline_of_the_call() -> None:
    @tool(retries=1000, timeout_seconds=0.05)
    async def down() -> str:
        """Be down."""
        raise ConnectionError("down")

    (result,) = await call([down], ToolCall("down", {}))
    assert result.status == CallStatus.TIMEOUT


async def test_a_failure_of_the_machinery_is_raised_as_one_error_and_stops_the_calls_beside_it() -> None:
    stopped: list[str] = []

    @tool(read_only=True)
    async def wait() -> str:
        """Wait for ever."""
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append("wait")
        return ""

    broken = tool(read_only=True, name="broken")(break_down.function)
    context = fresh()
    with pytest.raises(SandboxError, match="the tool broken: ConnectionError: the server is gone") as caught:
        await call([wait, broken], ToolCall("wait", {}), ToolCall("broken", {}), context=context)
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert stopped == ["wait"]
    assert context.counts == {CallStatus.INFRA_ERROR: 1, CallStatus.CANCELLED: 1}


async def test_calls_after_a_failure_of_the_machinery_are_not_made() -> None:
    made: list[str] = []

    @tool
    async def note() -> str:
        """Take a note."""
        made.append("note")
        return ""

    with pytest.raises(SandboxError):
        await call([break_down, note], ToolCall("break_down", {}), ToolCall("note", {}))
    assert made == []


@pytest.mark.parametrize("error", [ValueError("bug"), TimeoutError("inner"), OSError("disk"), SandboxError("browser")])
async def test_any_exception_but_a_tool_error_is_the_machinerys(error: Exception) -> None:
    @tool
    async def fail() -> str:
        """Fail."""
        raise error

    @tool
    def fail_in_thread() -> str:
        """Fail."""
        raise error

    for tried in (fail, fail_in_thread):
        with pytest.raises(SandboxError, match=str(error)):
            await call([tried], ToolCall(tried.name, {}))


async def test_a_result_that_is_no_json_is_the_machinerys_failure() -> None:
    @tool
    async def opaque() -> object:
        """Give something odd."""
        return object()

    with pytest.raises(SandboxError, match="the tool opaque: PydanticSerializationError"):
        await call([opaque], ToolCall("opaque", {}))


async def test_an_error_in_the_description_of_the_run_passes_through() -> None:
    @tool
    async def misconfigured() -> str:
        """Need a key."""
        raise ConfigError("There is no API key.")

    with pytest.raises(ConfigError, match="There is no API key"):
        await call([misconfigured], ToolCall("misconfigured", {}))


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_tool_that_would_end_the_process_does_not(in_thread: bool) -> None:
    @tool
    async def leave() -> str:
        """Leave."""
        sys.exit(3)

    @tool(name="leave")
    def leave_in_thread() -> str:
        """Leave."""
        sys.exit(3)

    with pytest.raises(SandboxError, match=r"the tool leave called exit\(3\)"):
        await call([leave_in_thread if in_thread else leave], ToolCall("leave", {}))


async def test_a_tool_that_cancels_itself_is_the_machinerys_failure() -> None:
    @tool(read_only=True)
    async def give_up() -> str:
        """Give up."""
        raise asyncio.CancelledError

    with pytest.raises(RolloutError, match="the tool give_up was cancelled from inside itself"):
        await call([give_up], ToolCall("give_up", {}), ToolCall("give_up", {}))


async def test_cancelling_the_trajectory_stops_its_tools_and_is_not_swallowed() -> None:
    begun, stopped = asyncio.Event(), list[str]()

    @tool(read_only=True)
    async def wait() -> str:
        """Wait for ever."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append("wait")
        return ""

    for num_calls in (1, 2):
        begun.clear()
        stopped.clear()
        context = fresh()
        task = asyncio.ensure_future(call([wait], *[ToolCall("wait", {})] * num_calls, context=context))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stopped == ["wait"] * num_calls
        assert context.counts == {CallStatus.CANCELLED: num_calls}


async def test_long_results_lose_their_middle() -> None:
    @tool(max_characters=8)
    async def short(text: str) -> str:
        """Give back a little."""
        return text

    written = ToolCall("short", {"text": "abcdefghijklmnop"})
    (result,) = await call([short], written)
    assert result.content == "abcd\n[... 8 characters left out ...]\nmnop"
    assert result.num_truncated_characters == 8
    (result,) = await call([short], written, context=fresh(limits=ToolLimits(max_characters=2)))
    assert result.content == "a\n[... 14 characters left out ...]\np"


async def test_images_are_kept() -> None:
    image = ImagePart(b"\x89PNG")

    @tool
    async def screenshot() -> ImagePart:
        """Take a picture."""
        return image

    (result,) = await call([screenshot], ToolCall("screenshot", {}))
    assert result.message().images == (image,)


async def test_the_context_reaches_tools_on_the_loop_and_in_threads() -> None:
    @tool
    async def remember(word: str, context: Context) -> str:
        """Remember a word."""
        context.state["word"] = word
        return context.task.id

    @tool
    def recall(*, context: Context) -> str:
        """Recall the word."""
        return context.state["word"]

    results = await call([remember, recall], ToolCall("remember", {"word": "tree"}), ToolCall("recall", {}))
    assert [result.content for result in results] == ["t", "tree"]


async def test_methods_of_an_environment_act_on_its_state() -> None:
    class Counter(Environment):
        count = 0

        @tool
        async def add(self, amount: int) -> int:
            """Add."""
            self.count += amount
            return self.count

    counter = Counter()
    calls = [ToolCall("add", {"amount": amount}) for amount in (1, 2, 3)]
    results = await call_tools(calls, counter.tools, fresh())
    assert [result.content for result in results] == ["1", "3", "6"]


async def test_calls_are_counted_by_how_they_ended() -> None:
    context = fresh()
    calls = [ToolCall("echo", {"text": "a"}), ToolCall("echo", {}), ToolCall("no", {}), ToolCall("refuse", {})]
    await call([echo, refuse, hang], *calls, ToolCall("hang", {}), context=context)
    assert context.counts == {
        CallStatus.OK: 1,
        CallStatus.INVALID_ARGUMENTS: 1,
        CallStatus.UNKNOWN_TOOL: 1,
        CallStatus.TOOL_ERROR: 1,
        CallStatus.TIMEOUT: 1,
    }


_KINDS = {
    "look": CallStatus.OK,
    "move": CallStatus.OK,
    "look_wrongly": CallStatus.TOOL_ERROR,
    "fly": CallStatus.UNKNOWN_TOOL,
    "malformed": CallStatus.INVALID_ARGUMENTS,
    "denied": CallStatus.DENIED,
}


def _written(kind: str, number: int, steps: int) -> ToolCall:
    if kind == "malformed":
        return ToolCall("look", "{", f"call_{number}")
    return ToolCall(kind, {"number": number, "steps": steps}, f"call_{number}")


async def _act(number: int, steps: int, context: Context) -> int:
    context.state["log"].append((number, "begins"))
    for _ in range(steps):
        await asyncio.sleep(0)
    context.state["log"].append((number, "ends"))
    return number


@tool(read_only=True)
async def look(number: int, steps: int, context: Context) -> int:
    """Change nothing."""
    return await _act(number, steps, context)


@tool(read_only=True)
async def look_wrongly(number: int, steps: int, context: Context) -> int:
    """Change nothing and fail."""
    raise ToolError(str(await _act(number, steps, context)))


@tool
async def move(number: int, steps: int, context: Context) -> int:
    """Change something."""
    return await _act(number, steps, context)


_TOOLS = by_name([look, look_wrongly, move, tool(name="denied")(move.function)])


@given(st.lists(st.tuples(st.sampled_from(sorted(_KINDS)), st.integers(0, 4)), max_size=8))
@settings(max_examples=1000, deadline=None)
def test_every_interleaving_gives_one_result_per_call_in_order_and_respects_the_barriers(
    plan: list[tuple[str, int]],
) -> None:
    calls = [_written(kind, number, steps) for number, (kind, steps) in enumerate(plan)]
    log: list[tuple[int, str]] = []
    context = fresh(rules=Rules((deny("denied"),)), state={"log": log})
    results = asyncio.run(call_tools(calls, _TOOLS, context))
    assert [result.call for result in results] == calls
    assert [result.status for result in results] == [_KINDS[kind] for kind, _ in plan]
    assert sum(context.counts.values()) == len(calls)
    for number, (kind, _) in enumerate(plan):
        if _KINDS[kind] in (CallStatus.OK, CallStatus.TOOL_ERROR):
            assert results[number].content == str(number)
        if kind == "move":
            begun, ended = log.index((number, "begins")), log.index((number, "ends"))
            assert ended == begun + 1, "nothing runs beside a call that may change something"
            assert all(other < number for other, _ in log[:begun])
            assert all(other > number for other, _ in log[ended + 1 :])
