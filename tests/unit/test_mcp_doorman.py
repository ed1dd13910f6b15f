"""The doorman says what the SDK would say, only sooner."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Tree
from support.processes import environment
from treemill.mcp.doorman import ENVELOPES, HANDSHAKES, answer_to

ALONE = """
import sys
from treemill.mcp.doorman import Wire
from treemill.mcp.server import serve_wire
serve_wire(sys.argv[1:], Wire())
"""


class Conversation:
    """A server at the other end of two pipes."""

    def __init__(self, words: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )

    def say(self, message: dict[str, Any]) -> Any:
        """Send a message; return what is answered to it, None for a notification."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline()) if "id" in message else None

    def end(self) -> int:
        """Close the pipes and return the exit code."""
        _, _ = self._process.communicate(timeout=60)
        return self._process.returncode


def request(number: int | str, method: str, **params: Any) -> dict[str, Any]:
    """Return a request."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def handshake(version: str) -> dict[str, Any]:
    """Return the first message of a client with a handshake."""
    return request(0, "initialize", protocolVersion=version, capabilities={}, clientInfo={"name": "t", "version": "1"})


def enveloped(number: int, method: str, version: str) -> dict[str, Any]:
    """Return a request that says what it speaks."""
    prefix = "io.modelcontextprotocol"
    client = {"name": "t", "version": "1"}
    meta = {f"{prefix}/protocolVersion": version, f"{prefix}/clientInfo": client, f"{prefix}/clientCapabilities": {}}
    return request(number, method, _meta=meta)


@pytest.fixture
def sdk(tree: Tree) -> Iterator[Conversation]:
    """The SDK alone, which answers everything itself."""
    talk = Conversation(["-c", ALONE, str(tree({"a.py": "x = 1\n"}))])
    yield talk
    assert talk.end() == 0


@pytest.mark.parametrize("version", HANDSHAKES)
def test_the_handshake_and_the_tools_are_told_as_the_sdk_tells_them(sdk: Conversation, version: str) -> None:
    first = handshake(version)
    assert answer_to(first, shaken=False) == sdk.say(first)["result"]
    sdk.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
    for asked in (request(1, "tools/list"), request("two", "ping")):
        assert answer_to(asked, shaken=True) == sdk.say(asked)["result"]


@pytest.mark.parametrize("version", ENVELOPES)
def test_enveloped_requests_are_answered_as_the_sdk_answers_them(sdk: Conversation, version: str) -> None:
    for asked in (enveloped(1, "server/discover", version), enveloped(2, "tools/list", version)):
        assert answer_to(asked, shaken=False) == sdk.say(asked)["result"]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"jsonrpc": "2.0", "method": "tools/list"},
        request(1, "tools/list"),
        request(1, "tools/call", name="search", arguments={}),
        request(1, "initialize", protocolVersion="1999-01-01"),
        request(1, "tools/list", _meta={"io.modelcontextprotocol/protocolVersion": "2099-01-01"}),
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []},
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
    ],
)
def test_everything_else_is_left_to_the_sdk(message: dict[str, Any]) -> None:
    assert answer_to(message, shaken=False) is None


def test_a_conversation_that_the_doorman_began_goes_on_with_the_sdk(tree: Tree) -> None:
    root: Path = tree({"cart.py": "def add_item(): ...\n"})
    talk = Conversation(["-m", "treemill", "mcp", str(root)])
    assert talk.say(handshake(HANDSHAKES[-1]))["result"]["protocolVersion"] == HANDSHAKES[-1]
    talk.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert len(talk.say(request(1, "tools/list"))["result"]["tools"]) == 5
    assert talk.say(request(2, "no/such"))["error"]["code"] == -32601
    answer = talk.say(request(3, "tools/call", name="reindex", arguments={}))
    assert "searchable: 1 of 1 files" in answer["result"]["content"][0]["text"]
    assert talk.end() == 0
