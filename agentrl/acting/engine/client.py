"""JSON over HTTP to a model server: a deadline for every call, retries with back-off, failures as our own errors."""

import asyncio
import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import stamina

from agentrl.errors import ConfigError, EngineError

_API_KEY_VARIABLE = "OPENAI_API_KEY"
_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})  # statuses that may pass
_MAX_RETRY_AFTER_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_EXCERPT_CHARACTERS = 400


class Reply(NamedTuple):
    """What a server answered, when it is not a reason to ask again."""

    url: str
    status: int
    text: str

    def __str__(self) -> str:
        return f"POST {self.url}: status {self.status}: {self.text[:_EXCERPT_CHARACTERS]!r}"


class JsonClient:
    """Posts JSON to one server, for many callers at once.

    Args:
        base_url: What paths are appended to.
        api_key: Sent as a bearer token; None takes the environment variable OPENAI_API_KEY, if there is one. It is
            in no message, log or representation.
        timeout_seconds: For a call as a whole: waiting, answering, and all attempts.
        num_attempts: How often a call is tried when the server is busy, failing or not reachable.

    Raises:
        ConfigError: A value cannot be used.
    """

    def __init__(self, base_url: str, *, api_key: str | None, timeout_seconds: float, num_attempts: int) -> None:
        self.base_url = _checked(base_url)
        if timeout_seconds <= 0 or num_attempts < 1:
            raise ConfigError(
                f"Expected timeout_seconds > 0 and num_attempts >= 1; got {timeout_seconds} and {num_attempts}."
            )
        self._timeout_seconds = timeout_seconds
        self._num_attempts = num_attempts
        self._secret = api_key if api_key is not None else os.environ.get(_API_KEY_VARIABLE, "")
        headers = {"Content-Type": "application/json"}
        if self._secret:
            headers["Authorization"] = f"Bearer {self._secret}"
        # Neither waiting for a connection nor for an answer has a limit of its own: the call's deadline covers both.
        self._http = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        )

    async def post(self, url: str, body: Mapping[str, Any]) -> Reply:
        """The server's answer to `body`, whatever its status, unless that says to try again and trying did not help.

        Raises:
            EngineError: There was no answer in time, or none but "try again".
        """
        content = json.dumps(body).encode()
        failures: list[_Unavailable] = []
        try:
            async with asyncio.timeout(self._timeout_seconds):
                async for attempt in stamina.retry_context(
                    on=_wait,
                    attempts=self._num_attempts,
                    timeout=None,
                    wait_initial=0.5,
                    wait_max=15.0,
                    wait_jitter=0.5,
                ):
                    with attempt:
                        return await self._send(url, content, failures)
        except TimeoutError as error:
            before = f" Before that: {failures[-1]}" if failures else ""
            raise EngineError(f"POST {url}: no answer within {self._timeout_seconds:g} s.{before}") from error
        except _Unavailable as error:
            raise EngineError(f"{error} (attempt {len(failures)} of {self._num_attempts})") from error
        raise AssertionError("retry_context ends by returning or raising")

    async def close(self) -> None:
        """Close the connections; idempotent."""
        await self._http.aclose()

    async def _send(self, url: str, content: bytes, failures: "list[_Unavailable]") -> Reply:
        try:
            response = await self._http.post(url, content=content)
        except httpx.RequestError as error:
            failures.append(_Unavailable(f"POST {url}: {type(error).__name__}: {error or 'no detail'}"))
            raise failures[-1] from error
        reply = Reply(url, _status(response), self._cleaned(response.text))
        if reply.status in _RETRIED:
            failures.append(_Unavailable(str(reply), _retry_after(response)))
            raise failures[-1]
        return reply

    def _cleaned(self, text: str) -> str:
        """The text without the key: some servers repeat it when they refuse it."""
        return text.replace(self._secret, "***") if self._secret else text


class _Unavailable(Exception):
    """An attempt failed in a way that may pass; never leaves this file."""

    def __init__(self, message: str, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


def _wait(error: Exception) -> bool | float:
    """Whether to try again; as a number: after so many seconds, because the server said so."""
    if not isinstance(error, _Unavailable):
        return False
    return True if error.wait_seconds is None else error.wait_seconds


def _retry_after(response: httpx.Response) -> float | None:
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:  # absent, or a date
        return None
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER_SECONDS)


def _status(response: httpx.Response) -> int:
    """The status; gateways that had to answer before they knew put the real one into the body."""
    if response.status_code != 200 or not response.text.lstrip().startswith('{"error"'):
        return response.status_code
    try:
        code = response.json()["error"]["code"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return 502
    return code if isinstance(code, int) and code >= 400 else 502


def _checked(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ConfigError(
            f"base_url {base_url!r} is no URL: {error}. Expected such as http://127.0.0.1:8000/v1"
        ) from error
    if url.userinfo or url.query or url.fragment:
        raise ConfigError("base_url must end with its path, and hold no password: a key is given as OPENAI_API_KEY.")
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(f"base_url {base_url!r} is no http address; expected such as http://127.0.0.1:8000/v1")
    return base_url.rstrip("/")
