"""A small world written by hand, an episode in it, and a model server on this machine."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agentrl.acting.tool import Context
from agentrl.messages import Message
from agentrl.trajectory import Task
from agentrl_environments.planner import suite
from agentrl_environments.planner.env import PlannerEnvironment

WORLD = {
    "directory": {"Mira": "lives in Tarn, has worked for Brook since 2021-03-05", "Pavel": "lives in Wey"},
    "table": {"Tarn": {"distance": "12 km", "inhabitants": "5200"}, "Wey": {"distance": "3 km", "inhabitants": "3100"}},
}
TASK = Task(
    "far",
    7,
    {
        "question": "What is the distance of the town where Mira lives, in m?",
        "answer": "12000 m",
        "answered_by": "convert",
        "steps": [["directory", "Mira"], ["table", "Tarn, distance"], ["convert", "12 km, m"]],
        **WORLD,
    },
)


@pytest.fixture(scope="session")
def task() -> Task:
    return TASK


@pytest.fixture
def begin() -> Callable[..., Any]:
    """Begins an episode: an environment after its reset, and the first prompt."""

    async def make(task: Task = TASK, **arguments: Any) -> tuple[PlannerEnvironment, str]:
        environment = suite(**arguments).make()
        assert isinstance(environment, PlannerEnvironment)
        environment.context = Context(task)
        return environment, await environment.reset(task)

    return make


@pytest.fixture(scope="session")
def say() -> Callable[[str], Message]:
    return lambda text: Message("assistant", text)


class ManyConnections(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


class Server:
    """A chat server that answers the last message of each request with what `reply` makes of it."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.reply: Callable[[dict[str, Any]], tuple[int, Any]] = lambda body: (404, {"error": "no reply set"})
        server = self

        class Request(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.requests.append(body)
                status, payload = server.reply(body)
                content = json.dumps(payload).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ManyConnections(("127.0.0.1", 0), Request)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def name(self) -> str:
        """As a module is named."""
        return f"openai:some-model@http://127.0.0.1:{self._http.server_port}/v1"

    def stop(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = Server()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def chat_reply() -> Callable[..., tuple[int, Any]]:
    def reply(content: str = "", calls: list[dict[str, Any]] | None = None) -> tuple[int, Any]:
        message = {"role": "assistant", "content": content, "tool_calls": calls}
        return 200, {"choices": [{"message": message, "finish_reason": "stop"}]}

    return reply
