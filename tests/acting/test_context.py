import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from agentrl.acting.context import Context
from agentrl.trajectory import Task


@contextlib.asynccontextmanager
async def session(log: list[str], name: str) -> AsyncIterator[str]:
    log.append(f"open {name}")
    try:
        yield name
    finally:
        log.append(f"close {name}")


async def test_sessions_are_closed_in_reverse_order_at_the_end() -> None:
    context, log = Context(Task("t")), list[str]()
    assert await context.enter(session(log, "a")) == "a"
    assert await context.enter(session(log, "b")) == "b"
    assert log == ["open a", "open b"]
    assert await context.close(5) == ()
    assert log == ["open a", "open b", "close b", "close a"]
    assert await context.close(5) == ()


async def test_a_named_session_is_opened_once_even_by_calls_that_run_together() -> None:
    context, log = Context(Task("t")), list[str]()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(context.session("page", lambda: session(log, "page"))) for _ in range(5)]
    assert [task.result() for task in tasks] == ["page"] * 5
    assert log == ["open page"]
    await context.close(5)
    assert log == ["open page", "close page"]


async def test_a_session_is_left_by_the_task_that_entered_it() -> None:
    tasks: list[asyncio.Task[object] | None] = []

    class Watched(contextlib.AbstractAsyncContextManager[int]):
        async def __aenter__(self) -> int:
            tasks.append(asyncio.current_task())
            return 1

        async def __aexit__(self, *error: object) -> None:
            tasks.append(asyncio.current_task())

    context = Context(Task("t"))
    async with asyncio.TaskGroup() as group:
        group.create_task(context.enter(Watched()))
    await context.close(5)
    assert tasks[0] is tasks[1]


async def test_a_session_that_fails_to_open_tells_who_asked_and_can_be_opened_again() -> None:
    context, attempts = Context(Task("t")), list[int]()

    @contextlib.asynccontextmanager
    async def flaky() -> AsyncIterator[str]:
        attempts.append(1)
        if len(attempts) == 1:
            raise ConnectionError("refused")
        yield "open"

    with pytest.raises(ConnectionError, match="refused"):
        await context.session("server", flaky)
    assert await context.session("server", flaky) == "open"
    assert await context.close(5) == ()


async def test_a_session_whose_opening_is_cancelled_is_not_left_half_open() -> None:
    context, log = Context(Task("t")), list[str]()

    @contextlib.asynccontextmanager
    async def slow() -> AsyncIterator[None]:
        log.append("begin")
        try:
            await asyncio.Event().wait()
            yield
        finally:
            log.append("undo")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await context.enter(slow())
    assert log == ["begin", "undo"]
    assert await context.close(5) == ()


async def test_sessions_that_hang_or_fail_on_closing_are_reported_and_delay_nobody() -> None:
    context, log = Context(Task("t")), list[str]()

    @contextlib.asynccontextmanager
    async def hangs() -> AsyncIterator[None]:
        yield
        await asyncio.Event().wait()

    @contextlib.asynccontextmanager
    async def fails() -> AsyncIterator[None]:
        yield
        raise OSError("broken pipe")

    await context.enter(session(log, "first"))
    await context.enter(hangs())
    await context.session("pipe", fails)
    problems = await context.close(0.05)
    assert problems[0] == "the session pipe failed: OSError: broken pipe"
    assert "did not close within its deadline and was cancelled" in problems[1]
    assert log == ["open first", "close first"]


async def test_a_session_that_dies_meanwhile_is_reported_at_the_end() -> None:
    context = Context(Task("t"))

    class Dying(contextlib.AbstractAsyncContextManager[asyncio.Task[object]]):
        async def __aenter__(self) -> "asyncio.Task[object]":
            task = asyncio.current_task()
            assert task is not None
            return task

        async def __aexit__(self, *error: object) -> None:
            raise ConnectionError("the server is gone")

    holder = await context.enter(Dying())
    holder.cancel()
    await asyncio.wait((holder,))
    assert await context.close(5) == ("the session Dying failed: ConnectionError: the server is gone",)
