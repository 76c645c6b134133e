import asyncio
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agentrl.acting.agent import ChatAgent, ChatModel
from agentrl.acting.engine import Completion, Engine, Sampling
from agentrl.acting.engine.openai import OpenAIEngine
from agentrl.acting.environment import Environment
from agentrl.acting.rewards import reward
from agentrl.acting.rollout import Limits, Stage
from agentrl.acting.suite import Suite
from agentrl.acting.tool import tool
from agentrl.errors import ConfigError, EngineError
from agentrl.evaluate import evaluate
from agentrl.messages import ImagePart, Message, TextPart, ToolCall, ToolSchema
from agentrl.statistics import wilson
from agentrl.trajectory import CallStatus, Task, Trajectory

KEY = "sk-very-secret"
USER = (Message("user", "Go."),)
GENERATE, COMPLETIONS, CHAT = "/inference/v1/generate", "/v1/completions", "/v1/chat/completions"
GOTO = ToolSchema("goto", "Go somewhere.", {"type": "object", "properties": {"place": {"type": "string"}}})


class ManyConnections(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


class Server:
    """A local server that answers each request with what `reply` says: status, body, headers; None hangs."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any], str | None]] = []
        self.reply: Callable[[str, dict[str, Any]], Any] = lambda path, body: (404, {"error": "no reply set"})
        self.released = threading.Event()
        self._http = ManyConnections(("127.0.0.1", 0), self._make_request_class())
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def paths(self) -> list[str]:
        return [path for path, _, _ in self.requests]

    def stop(self) -> None:
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _make_request_class(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Request(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.requests.append((self.path, body, self.headers.get("Authorization")))
                reply = server.reply(self.path, body)
                if reply is None:
                    server.released.wait(30)
                    self.close_connection = True
                    return
                status, payload, *headers = reply
                content = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **(headers[0] if headers else {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Request


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = Server()
    yield running
    running.stop()


def chat_reply(content: str | None = "Hello.", calls: list[dict[str, Any]] | None = None) -> tuple[int, dict[str, Any]]:
    message = {"role": "assistant", "content": content, "tool_calls": calls}
    return 200, {"choices": [{"message": message, "finish_reason": "stop"}]}


def answer_generate(ids: list[int], logprobs: list[float], finish_reason: str = "stop", **more: Any) -> dict[str, Any]:
    content = [{"token_id": token, "logprob": logprob, "rank": 1} for token, logprob in zip(ids, logprobs, strict=True)]
    choice = {"index": 0, "token_ids": ids, "logprobs": {"content": content}, "finish_reason": finish_reason}
    return {"choices": [choice | more]}


def answer_completions(ids: list[int], logprobs: list[float | None] | None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "text": "", "token_ids": ids, "finish_reason": "stop"}
    return {"choices": [choice | {"logprobs": logprobs and {"token_logprobs": logprobs}} | more]}


def echo_generate(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Samples the prompt's last id plus one, with a log-prob that tells it."""
    if path != GENERATE:
        return 404, {"error": "not found"}
    token = body["token_ids"][-1] + 1
    return 200, answer_generate([token], [-token / 100])


async def refusal(engine: OpenAIEngine, sampling: Sampling | None = None) -> str:
    """The configuration error that sampling ends with."""
    with pytest.raises(ConfigError) as caught:
        await engine.generate([1, 2], sampling or Sampling(max_tokens=4))
    await engine.close()
    return str(caught.value)


async def failure(engine: OpenAIEngine) -> str:
    """The engine error that sampling ends with."""
    with pytest.raises(EngineError) as caught:
        await engine.generate([1, 2], Sampling(max_tokens=4))
    await engine.close()
    return str(caught.value)


def test_it_is_a_chat_model_and_an_engine() -> None:
    engine = OpenAIEngine("http://127.0.0.1:1/v1", "m")
    as_chat_model: ChatModel = engine
    as_engine: Engine = engine
    assert ChatAgent(as_chat_model).model is as_engine


def test_it_imports_without_torch() -> None:
    code = (
        "import sys, agentrl.acting.engine.openai, agentrl.evaluate, agentrl.statistics, agentrl.doctor, "
        "agentrl.view.transcript\n"
        "print(sorted({'torch', 'transformers', 'numpy', 'playwright', 'docker'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_chat_sends_messages_and_tools_and_reads_the_answer(server: Server) -> None:
    server.reply = lambda path, body: chat_reply()
    engine = OpenAIEngine(server.url + "/", "m", api_key=KEY, extra={"temperature": 0.5, "max_tokens": 9})
    picture = Message("user", (TextPart("Look."), ImagePart(b"abc")))
    answer = await engine.chat([Message("system", "Be brief."), picture], [GOTO], seed=7)
    await engine.close()
    assert answer == Message("assistant", "Hello.")
    [(path, body, authorization)] = server.requests
    assert path == CHAT
    assert authorization == f"Bearer {KEY}"
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look."},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,YWJj"}},
                ],
            },
        ],
        "tools": [GOTO.to_openai()],
        "seed": 7,
        "temperature": 0.5,
        "max_tokens": 9,
    }


async def test_extra_can_remove_a_field_and_no_tools_are_not_sent(server: Server) -> None:
    server.reply = lambda path, body: chat_reply()
    engine = OpenAIEngine(server.url, "m", extra={"seed": None, "reasoning_effort": "low"})
    await engine.chat(USER, [], seed=7)
    await engine.close()
    assert set(server.requests[0][1]) == {"model", "messages", "reasoning_effort"}


async def test_the_key_comes_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.reply = lambda path, body: chat_reply()
    engine = OpenAIEngine(server.url, "m")
    await engine.chat(USER, [], seed=0)
    await engine.close()
    assert server.requests[0][2] == f"Bearer {KEY}"


async def test_tool_calls_come_in_with_objects_text_and_missing_ids(server: Server) -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "goto", "arguments": '{"place": "shelf"}'}},
        {"id": "b", "type": "function", "function": {"name": "goto", "arguments": '{"place": '}},
        {"id": None, "type": "function", "function": {"name": "look", "arguments": ""}},
        {"type": "function", "function": {"name": "goto", "arguments": {"place": "bed"}}},
        {"id": "e", "type": "function", "function": {"name": "goto", "arguments": "[1]"}},
    ]
    server.reply = lambda path, body: chat_reply(None, calls)
    engine = OpenAIEngine(server.url, "m")
    answer = await engine.chat(USER, [GOTO], seed=0)
    await engine.close()
    assert answer == Message(
        "assistant",
        "",
        (
            ToolCall("goto", {"place": "shelf"}, "a"),
            ToolCall("goto", '{"place": ', "b"),
            ToolCall("look", {}, "call_2"),
            ToolCall("goto", {"place": "bed"}, "call_3"),
            ToolCall("goto", "[1]", "e"),
        ),
    )


async def test_malformed_calls_in_the_history_go_out_in_a_form_that_servers_take(server: Server) -> None:
    server.reply = lambda path, body: chat_reply()
    engine = OpenAIEngine(server.url, "m")
    said = Message("assistant", "", (ToolCall("go to!", "{oops", "a"), ToolCall("", {"x": 1}, "b")))
    await engine.chat([*USER, said, Message("tool", "Not JSON.", tool_call_id="a", name="go to!")], [], seed=0)
    await engine.close()
    _, sent, answer = server.requests[0][1]["messages"]
    assert [call["function"]["name"] for call in sent["tool_calls"]] == ["go_to_", "unnamed"]
    arguments = [json.loads(call["function"]["arguments"]) for call in sent["tool_calls"]]
    assert arguments == [{"unreadable_arguments": "{oops"}, {"x": 1}]
    assert answer == {"role": "tool", "content": "Not JSON.", "tool_call_id": "a", "name": "go to!"}


async def test_content_in_parts_is_joined_without_the_thinking(server: Server) -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hel"}, {"type": "text", "text": "lo."}]
    server.reply = lambda path, body: (200, {"choices": [{"message": {"content": parts}}]})
    engine = OpenAIEngine(server.url, "m")
    assert await engine.chat(USER, [], seed=0) == Message("assistant", "Hello.")
    await engine.close()


async def test_a_busy_server_is_asked_again(server: Server) -> None:
    replies = iter([(429, "slow down", {"Retry-After": "0.05"}), (503, "loading", {"Retry-After": "0"}), chat_reply()])
    server.reply = lambda path, body: next(replies)
    engine = OpenAIEngine(server.url, "m")
    began = time.perf_counter()
    assert await engine.chat(USER, [], seed=0) == Message("assistant", "Hello.")
    await engine.close()
    assert len(server.requests) == 3
    assert 0.05 <= time.perf_counter() - began < 2


async def test_an_error_of_a_gateway_behind_status_200_is_asked_again(server: Server) -> None:
    replies = iter([(200, {"error": {"code": 502, "message": "upstream"}}, {"Retry-After": "0"}), chat_reply()])
    server.reply = lambda path, body: next(replies)
    engine = OpenAIEngine(server.url, "m")
    assert await engine.chat(USER, [], seed=0) == Message("assistant", "Hello.")
    await engine.close()


async def test_a_server_that_stays_busy_is_an_engine_error_with_status_url_and_body(server: Server) -> None:
    server.reply = lambda path, body: (503, "x" * 100 + " all workers busy", {"Retry-After": "0"})
    engine = OpenAIEngine(server.url, "m", num_attempts=3)
    with pytest.raises(EngineError) as caught:
        await engine.chat(USER, [], seed=0)
    await engine.close()
    assert len(server.requests) == 3
    for part in ("503", f"{server.url}/chat/completions", "all workers busy", "attempt 3 of 3"):
        assert part in str(caught.value)


async def test_a_hanging_server_is_an_engine_error_at_the_deadline(server: Server) -> None:
    server.reply = lambda path, body: None
    engine = OpenAIEngine(server.url, "m", timeout_seconds=0.3)
    began = time.perf_counter()
    with pytest.raises(EngineError, match=r"no answer within 0\.3 s"):
        await engine.chat(USER, [], seed=0)
    assert 0.25 <= time.perf_counter() - began < 2
    await engine.close()
    assert len(server.requests) == 1


async def test_the_deadline_covers_the_waiting_between_attempts_and_says_why(server: Server) -> None:
    server.reply = lambda path, body: (429, "quota", {"Retry-After": "30"})
    engine = OpenAIEngine(server.url, "m", timeout_seconds=0.3)
    with pytest.raises(EngineError, match=r"no answer within 0\.3 s. Before that: .*status 429: 'quota'"):
        await engine.chat(USER, [], seed=0)
    await engine.close()


async def test_a_server_that_is_not_there_is_an_engine_error(unused_tcp_port: int) -> None:
    engine = OpenAIEngine(f"http://127.0.0.1:{unused_tcp_port}/v1", "m", num_attempts=1)
    with pytest.raises(EngineError, match="ConnectError"):
        await engine.chat(USER, [], seed=0)
    await engine.close()


async def test_more_calls_than_httpx_has_connections_by_default_run_at_once(server: Server) -> None:
    together = threading.Barrier(130)

    def reply(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        together.wait(20)
        return chat_reply(str(body["seed"]))

    server.reply = reply
    engine = OpenAIEngine(server.url, "m")
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(engine.chat(USER, [], seed=seed)) for seed in range(130)]
    await engine.close()
    assert [task.result() for task in asked] == [Message("assistant", str(seed)) for seed in range(130)]


async def test_a_wrong_key_is_a_configuration_error_that_does_not_repeat_the_key(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.reply = lambda path, body: (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    engine = OpenAIEngine(server.url, "m", api_key=KEY)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as caught:
        await engine.chat(USER, [], seed=0)
    await engine.close()
    assert len(server.requests) == 1
    assert "status 401" in str(caught.value)
    assert KEY not in str(caught.value) + repr(engine) + caplog.text


async def test_a_key_that_is_revoked_later_stops_the_run_too(server: Server) -> None:
    replies = iter([chat_reply(), (401, "revoked")])
    server.reply = lambda path, body: next(replies)
    engine = OpenAIEngine(server.url, "m")
    await engine.chat(USER, [], seed=0)
    with pytest.raises(ConfigError, match="revoked"):
        await engine.chat(USER, [], seed=0)
    await engine.close()


async def test_an_unknown_model_is_a_configuration_error(server: Server) -> None:
    server.reply = lambda path, body: (404, {"error": {"message": "The model `nope` does not exist"}})
    engine = OpenAIEngine(server.url, "nope")
    with pytest.raises(ConfigError, match="Does it offer the model 'nope'"):
        await engine.chat(USER, [], seed=0)
    await engine.close()


async def test_a_refusal_after_the_first_success_concerns_that_trajectory_only(server: Server) -> None:
    replies = iter([chat_reply(), (400, "content policy"), chat_reply()])
    server.reply = lambda path, body: next(replies)
    engine = OpenAIEngine(server.url, "m")
    await engine.chat(USER, [], seed=0)
    with pytest.raises(EngineError, match="content policy"):
        await engine.chat(USER, [], seed=0)
    assert await engine.chat(USER, [], seed=0)
    await engine.close()


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 1024 tokens. However, you requested 1400",
        "context_length_exceeded",
        "the request exceeds the available context size",
    ],
)
async def test_a_conversation_that_grew_too_long_ends_without_an_error(server: Server, message: str) -> None:
    replies = iter([chat_reply(), (400, {"error": {"message": message}})])
    server.reply = lambda path, body: next(replies)
    engine = OpenAIEngine(server.url, "m")
    await engine.chat(USER, [], seed=0)
    assert await engine.chat(USER, [], seed=0) is None
    await engine.close()


@pytest.mark.parametrize(
    "payload",
    [
        "<html>",
        "[]",
        {"choices": []},
        {"choices": [{"message": {"content": 3}}]},
        {"choices": [{"message": {"content": "a lone surrogate, which no file can hold: \ud83d"}}]},
    ],
)
async def test_an_answer_that_is_no_chat_completion_is_an_engine_error(server: Server, payload: Any) -> None:
    server.reply = lambda path, body: (200, payload)
    engine = OpenAIEngine(server.url, "m")
    with pytest.raises(EngineError, match=r"not a chat completion"):
        await engine.chat(USER, [], seed=0)
    await engine.close()


async def test_ids_go_through_the_generate_route_where_there_is_one(server: Server) -> None:
    spans = [{"version": "3", "start": 0, "end": 1}, {"version": "4", "start": 1, "end": 2}]

    def reply(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, answer_generate([11, 12], [-0.25, 1e-6], "length", weight_versions=spans)

    server.reply = reply
    engine = OpenAIEngine(server.url, "m")
    completion = await engine.generate([5, 6, 7], Sampling(max_tokens=2, stop_ids=(0, 9), seed=2**61), session="t")
    await engine.generate([5], Sampling(max_tokens=1))
    await engine.close()
    assert completion == Completion(ids=(11, 12), logprobs=(-0.25, 0.0), version=3, truncated=True)
    assert server.paths() == [GENERATE] * 3  # one of them the probe
    assert server.requests[0][1]["token_ids"] == [5]
    assert server.requests[0][1]["sampling_params"]["max_tokens"] == 1
    assert server.requests[1][1] == {
        "model": "m",
        "token_ids": [5, 6, 7],
        "sampling_params": {
            "max_tokens": 2,
            "temperature": 1.0,
            "top_p": 1.0,
            "top_k": -1,
            "min_p": 0.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "repetition_penalty": 1.0,
            "stop_token_ids": [0, 9],
            "ignore_eos": True,
            "logprobs": 0,
            "seed": 2**61,
            "detokenize": False,
        },
    }


@pytest.mark.parametrize("status", [403, 404, 405, 501])
async def test_ids_go_through_completions_where_the_generate_route_is_missing(server: Server, status: int) -> None:
    def reply(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path != COMPLETIONS:
            return status, {"error": "disabled"}
        return 200, answer_completions([8, 9], [-0.5, -1.5], prompt_token_ids=body["prompt"])

    server.reply = reply
    engine = OpenAIEngine(server.url, "m")
    engine.version = 5
    completion = await engine.generate([1, 2], Sampling(max_tokens=4))
    await engine.generate([1, 2], Sampling(max_tokens=4))
    await engine.close()
    assert completion == Completion(ids=(8, 9), logprobs=(-0.5, -1.5), version=5)
    assert server.paths() == [GENERATE, COMPLETIONS, COMPLETIONS, COMPLETIONS]
    body = server.requests[2][1]
    assert (body["prompt"], body["return_token_ids"], body["logprobs"]) == ([1, 2], True, 0)
    assert (body["top_p"], body["top_k"], body["repetition_penalty"], body["ignore_eos"]) == (1.0, -1, 1.0, True)
    assert "seed" not in body


async def test_a_server_that_only_chats_cannot_be_trained_on(server: Server) -> None:
    server.reply = lambda path, body: chat_reply() if path == CHAT else (404, {"error": f"no {path}"})
    engine = OpenAIEngine(server.url, "m")
    assert await engine.chat(USER, [], seed=0) == Message("assistant", "Hello.")
    message = await refusal(engine)
    assert server.paths() == [CHAT, GENERATE, COMPLETIONS]
    for part in ("samples no token ids", "--enable-scale-out", f"no {GENERATE}", f"no {COMPLETIONS}"):
        assert part in message


async def test_trajectories_that_start_together_probe_once(server: Server) -> None:
    server.reply = echo_generate
    engine = OpenAIEngine(server.url, "m")
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(engine.generate([token], Sampling(max_tokens=1))) for token in range(20)]
    await engine.close()
    assert [task.result().ids for task in asked] == [(token + 1,) for token in range(20)]
    assert len(server.requests) == 21


async def test_a_probe_that_failed_is_made_again(server: Server) -> None:
    replies = iter([(500, "starting", {"Retry-After": "0"})])
    server.reply = lambda path, body: next(replies, None) or echo_generate(path, body)
    engine = OpenAIEngine(server.url, "m", num_attempts=1)
    with pytest.raises(EngineError, match="starting"):
        await engine.generate([1], Sampling(max_tokens=1))
    assert (await engine.generate([1], Sampling(max_tokens=1))).ids == (2,)
    await engine.close()


@pytest.mark.parametrize(
    ("route", "payload", "missing"),
    [
        (GENERATE, {"choices": [{"token_ids": [4], "logprobs": None, "finish_reason": "stop"}]}, "no log-probs"),
        (COMPLETIONS, answer_completions([4], None), "no log-probs"),
        (COMPLETIONS, {"choices": [{"text": "x", "finish_reason": "stop"}]}, "no token ids"),
        (
            COMPLETIONS,
            {"choices": [{"logprobs": {"tokens": ["x"], "token_logprobs": [-1.0]}, "finish_reason": "stop"}]},
            "no token ids",
        ),
    ],
)
async def test_a_server_without_ids_or_logprobs_cannot_be_trained_on(
    server: Server, route: str, payload: Any, missing: str
) -> None:
    server.reply = lambda path, body: (200, payload) if path == route else (404, "none")
    assert missing in await refusal(OpenAIEngine(server.url, "m"))


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (answer_completions([4, 5], [-1.0]), "2 token ids came with 1 log-probs"),
        ({"choices": [{"token_ids": [], "logprobs": {"token_logprobs": []}, "finish_reason": "stop"}]}, "0 token ids"),
        (answer_completions([4], [None]), "None cannot be the log-prob"),
        (answer_completions([4], [-9999.0]), "-9999.0 cannot be the log-prob"),
        (answer_completions([4], [0.5]), "0.5 cannot be the log-prob"),
        ('{"choices": [{"token_ids": [4], "logprobs": {"token_logprobs": [NaN]}, "finish_reason": "stop"}]}', "nan"),
        (answer_completions([4], [-1.0], finish_reason="abort"), "ended with 'abort'"),
        (answer_completions([4], [-1.0], token_ids="text"), "not a completion"),
        (answer_generate([4], [-1.0], token_ids=[5]), "of other ids"),
        ("", "not a completion"),
    ],
)
async def test_a_completion_that_cannot_be_trusted_is_an_engine_error(
    server: Server, payload: Any, problem: str
) -> None:
    server.reply = lambda path, body: (200, payload)
    assert problem in await failure(OpenAIEngine(server.url, "m"))


async def test_a_server_that_changes_the_prompt_is_refused(server: Server) -> None:
    answer = answer_completions([4], [-1.0], prompt_token_ids=[0, 1])
    server.reply = lambda path, body: (200, answer) if path == COMPLETIONS else (404, "none")
    assert "changed the prompt's ids" in await refusal(OpenAIEngine(server.url, "m"))


async def test_a_server_with_too_short_a_context_is_a_configuration_error(server: Server) -> None:
    def reply(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if len(body["token_ids"]) > 1:
            return 400, {"error": {"message": "This model's maximum context length is 8 tokens"}}
        return echo_generate(path, body)

    server.reply = reply
    assert "--max-model-len" in await refusal(OpenAIEngine(server.url, "m"))


async def test_raw_logprobs_are_only_taken_at_temperature_one_and_zero(server: Server) -> None:
    server.reply = echo_generate
    engine = OpenAIEngine(server.url, "m")
    for temperature in (1.0, 0.0):
        assert (await engine.generate([1], Sampling(max_tokens=1, temperature=temperature))).logprobs == (-0.02,)
    assert "--logprobs-mode processed_logprobs" in await refusal(engine, Sampling(max_tokens=1, temperature=0.7))
    declared = OpenAIEngine(server.url, "m", logprobs_mode="processed")
    assert (await declared.generate([1], Sampling(max_tokens=1, temperature=0.7))).ids == (2,)
    await declared.close()


async def test_entropies_are_refused() -> None:
    engine = OpenAIEngine("http://127.0.0.1:1/v1", "m")
    assert "no entropies" in await refusal(engine, Sampling(max_tokens=1, entropies=True))


async def test_versions_that_are_no_numbers_leave_the_engines_own(server: Server) -> None:
    spans = [{"version": "initial", "start": 0, "end": 1}]
    server.reply = lambda path, body: (200, answer_generate([4], [-1.0], weight_versions=spans))
    engine = OpenAIEngine(server.url, "m")
    engine.version = 2
    assert (await engine.generate([1], Sampling(max_tokens=1))).version == 2
    engine.release("anything")
    await engine.close()
    await engine.close()


class Counter(Environment):
    """Counts up to three, by a tool."""

    count = 0

    async def reset(self, task: Task) -> str:
        return f"Task {task.id}: count to three."

    @tool
    async def add(self, amount: int) -> int:
        """Add to the counter.

        Args:
            amount: What to add.
        """
        self.count += amount
        return self.count

    @reward
    def reached(self) -> float:
        return float(self.count == 3)


def counting(path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """A model that calls badly, then well, then is done; in task b it talks until the context is full."""
    said = [message for message in body["messages"] if message["role"] == "assistant"]
    if not said:
        return chat_reply("", [{"id": "a", "function": {"name": "add", "arguments": "{bad"}}])
    if "Task b" in body["messages"][0]["content"]:
        return 400, {"error": {"code": "context_length_exceeded"}}
    if len(said) == 1:
        return chat_reply("", [{"id": "b", "function": {"name": "add", "arguments": '{"amount": 3}'}}])
    return chat_reply("Done.")


async def test_a_model_behind_a_server_is_evaluated_with_tools(server: Server) -> None:
    server.reply = counting
    engine = OpenAIEngine(server.url, "m")
    suite = Suite(name="counter", splits={"test": [Task("a"), Task("b")]}, make=Counter)
    groups: dict[str, Trajectory] = {}
    evaluation = await evaluate(
        Stage(suite=suite, agent=ChatAgent(engine), limits=Limits(max_turns=5)),
        on_group=lambda group: groups.update({group.task.id: group.trajectories[0]}),
    )
    await engine.close()
    assert evaluation.outcomes == {"finished": 1, "token_limit": 1}
    assert evaluation.success_rate == wilson(1, 2)
    assert evaluation.num_excluded == 0
    counted = groups["a"]
    assert [[result.status for result in turn.results] for turn in counted.turns] == [
        [CallStatus.INVALID_ARGUMENTS],
        [CallStatus.OK],
        [],
    ]
    assert groups["b"].total_reward == 0.0
    last = [body["messages"] for _, body, _ in server.requests if "Task a" in body["messages"][0]["content"]][-1]
    assert [message["role"] for message in last] == ["user", "assistant", "tool", "assistant", "tool"]
    assert [message.get("tool_call_id") for message in last] == [None, None, "a", None, "b"]
    assert last[-1]["content"] == "3"


@pytest.mark.parametrize(
    ("base_url", "problem"),
    [
        ("localhost:8000", "no http address"),
        ("ftp://host/v1", "no http address"),
        ("http://user:word@host/v1", "OPENAI_API_KEY"),
        ("http://host/v1?key=word", "OPENAI_API_KEY"),
        ("http://[::1", "is no URL"),
    ],
)
def test_a_wrong_address_is_refused_without_repeating_a_password(base_url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        OpenAIEngine(base_url, "m")
    assert "word" not in str(caught.value).replace("password", "")


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="timeout_seconds > 0"):
        OpenAIEngine("http://host/v1", "m", timeout_seconds=0)
    with pytest.raises(ConfigError, match="num_attempts >= 1"):
        OpenAIEngine("http://host/v1", "m", num_attempts=0)
    with pytest.raises(ConfigError, match="logprobs_mode must be"):
        OpenAIEngine("http://host/v1", "m", logprobs_mode="cooked")  # type: ignore[arg-type]
