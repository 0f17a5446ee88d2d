"""A device of a user: matrix-nio's client, each of whose requests is noted down under a User-Agent of its own.

Synapse writes the User-Agent into its access log, so that the report of this side and the logs of that side can be laid
beside each other request by request.
"""

import contextlib
import contextvars
import itertools
import json

from nio import AsyncClient, AsyncClientConfig, ErrorResponse

# The step that the requests of a task belong to.
_step = contextvars.ContextVar("step", default="")

# One attempt at everything: what fails here shall be seen, not retried.
_CONFIG = AsyncClientConfig(
    max_limit_exceeded=0, max_timeouts=0, request_timeout=60, encryption_enabled=False
)


class Report:
    """What was asked and answered, and which steps failed."""

    def __init__(self):
        self.requests = []
        self.faults = []
        self._numbers = itertools.count(1)

    def number(self):
        return next(self._numbers)

    def fault(self, text):
        self.faults.append(f"{_step.get()}: {text}")

    @contextlib.contextmanager
    def step(self, name):
        """Names the requests made inside; what goes wrong there ends the step, and the next one begins."""
        before = _step.set(name)
        try:
            yield
        except Exception as error:
            self.fault(f"{type(error).__name__}: {error}")
        finally:
            _step.reset(before)

    def dump(self):
        return json.dumps({"requests": self.requests, "faults": self.faults}, indent=1)


class Device(AsyncClient):
    """One login of a user. With token_in_query its access token travels in the URL instead of a header."""

    def __init__(self, homeserver, user, name, report, token_in_query=False):
        super().__init__(homeserver, user, device_id=name, config=_CONFIG)
        self.localpart, self.name, self.report = user, name, report
        self.token_in_query = token_in_query

    async def send(self, method, path, data=None, headers=None, trace_context=None, timeout=None):
        """Overrides the one place through which all of nio's requests pass."""
        agent = f"e2e {self.localpart or 'nobody'} {self.name} {self.report.number()}"
        headers = dict(headers or {}) | {"User-Agent": agent}
        url = path
        if self.token_in_query and headers.pop("Authorization", None):
            url += ("&" if "?" in path else "?") + "access_token=" + self.access_token
        entry = {
            "step": _step.get(), "user": self.localpart, "device": self.name, "agent": agent,
            "method": method, "path": path, "status": 0,
        }
        self.report.requests.append(entry)
        answer = await super().send(method, url, data, headers, trace_context, timeout)
        entry["status"] = answer.status
        return answer

    async def receive_response(self, response):
        """Overrides what nio does with every answer: an error answer ends the step."""
        if isinstance(response, ErrorResponse):
            raise RuntimeError(str(response))
        await super().receive_response(response)

    async def raw(self, method, path, body=None, headers=None):
        """A request that nio has no method for, over nio's own session; returns the answer's JSON."""
        headers = {"Content-Type": "application/json"} | (headers or {})
        if self.access_token:
            headers["Authorization"] = "Bearer " + self.access_token
        answer = await self.send(method, path, None if body is None else json.dumps(body), headers)
        text = await answer.text()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]}")
        return json.loads(text or "{}")
