"""Standard input and output of the server, and who answers while the SDK is loading.

    client ─▶ reading thread ─▶ doorman (until the SDK is there) ─▶ what it left, in order ─▶ SDK

Loading the SDK takes longer than a client should wait for the list of tools, and what a client asks first is always the
same: the handshake and that list, whose answers are known. The doorman gives these and leaves everything else for the
SDK, which is then told of the handshake as if it had held it; its own answer to that is dropped. A test compares every
answer of the doorman with the SDK's.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from treemill._version import __version__
from treemill.mcp.tools import INSTRUCTIONS, TOOLS

# The revisions of the protocol whose first messages the doorman knows: those with a handshake, and those in which each
# request says what it speaks.
HANDSHAKES = ("2025-06-18", "2025-11-25")
ENVELOPES = ("2026-07-28",)

_ENVELOPE = "io.modelcontextprotocol/protocolVersion"
_SERVER = {"name": "treemill", "title": "Treemill", "version": __version__}
_CAPABILITIES = {"tools": {"listChanged": False}}
_PROMPT_SECONDS = 0.01

Line = str
InThread = Callable[[Callable[[], "Line | None"]], Awaitable["Line | None"]]


def answer_to(message: Mapping[str, Any], *, shaken: bool) -> dict[str, Any] | None:
    """Return the result for a message that needs no SDK, None for any other; `shaken` is whether a handshake was held.

    The results are those that the SDK gives.
    """
    if message.get("jsonrpc") != "2.0" or not isinstance(message.get("id"), (int, str)):
        return None
    params = message.get("params") or {}
    meta = params.get("_meta") or {} if isinstance(params, dict) else {}
    enveloped = isinstance(meta, dict) and meta.get(_ENVELOPE) in ENVELOPES
    match message.get("method"):
        case "initialize" if not shaken and params.get("protocolVersion") in HANDSHAKES:
            known = {"capabilities": _CAPABILITIES, "instructions": INSTRUCTIONS, "serverInfo": _SERVER}
            return {**known, "protocolVersion": params["protocolVersion"]}
        case "server/discover" if enveloped:
            known = {"capabilities": _CAPABILITIES, "instructions": INSTRUCTIONS, "supportedVersions": list(ENVELOPES)}
            return {**known, **_stamped()}
        case "tools/list" if shaken and "cursor" not in params:
            return {"tools": _tools()}
        case "tools/list" if enveloped and "cursor" not in params:
            return {"tools": _tools(), **_stamped()}
        case "ping" if shaken:
            return {}
    return None


def _tools() -> list[dict[str, Any]]:
    return [
        {
            "annotations": {"openWorldHint": False, "readOnlyHint": tool.read_only},
            "description": tool.description,
            "inputSchema": dict(tool.schema),
            "name": tool.name,
            "title": tool.title,
        }
        for tool in TOOLS
    ]


def _stamped() -> dict[str, Any]:
    """What every result says in the revisions without a handshake."""
    meta = {"io.modelcontextprotocol/serverInfo": _SERVER}
    return {"cacheScope": "private", "resultType": "complete", "ttlMs": 0, "_meta": meta}


class Wire:
    """The client's lines, read by a thread of its own; nothing else reaches standard input and output any more.

    What a program prints by mistake goes to standard error, so that it cannot tear a message.
    """

    def __init__(self) -> None:
        """Take over standard input and output."""
        sys.stdout.flush()
        self._incoming = open(os.dup(0), encoding="utf-8", errors="replace", newline="\n")  # noqa: SIM115
        self._outgoing = open(os.dup(1), "w", encoding="utf-8", newline="\n")  # noqa: SIM115
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        self._lines: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        self._left: list[Line] = []
        self._dropped: set[int | str] = set()
        self._shaken = False
        threading.Thread(target=self._read, name="treemill-stdin", daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self._incoming:
                self._lines.put(line)
        finally:
            self._lines.put(None)

    def attend(self, loaded: threading.Event) -> None:
        """Answer what can be answered until the SDK is loaded, and keep the rest for it."""
        while not loaded.is_set():
            try:
                line = self._lines.get(timeout=_PROMPT_SECONDS)
            except queue.Empty:
                continue
            if line is None:
                self._lines.put(None)
                loaded.wait()
                return
            self._attend_to(line)

    def _attend_to(self, line: Line) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        result = answer_to(message, shaken=self._shaken) if isinstance(message, dict) else None
        if result is None or message is None:
            self._left.append(line)
            return
        if message["method"] == "initialize":
            self._shaken = True
            self._left.append(line)
            self._dropped.add(message["id"])
        self._say(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}))

    def _say(self, text: str) -> None:
        self._outgoing.write(text + "\n")
        self._outgoing.flush()

    async def lines(self, in_thread: InThread) -> AsyncIterator[Line]:
        """Give the lines that were left, then those that come; `in_thread` waits in a thread."""
        for line in self._left:
            yield line
        while (line_or_end := await in_thread(self._lines.get)) is not None:
            yield line_or_end

    async def write(self, text: str) -> None:
        """Send what the SDK says, but for its answer to a handshake that was held."""
        if self._dropped and (answered := json.loads(text).get("id")) in self._dropped:
            self._dropped.discard(answered)
            return
        self._outgoing.write(text)

    async def flush(self) -> None:
        """Send what was written."""
        self._outgoing.flush()


class Incoming:
    """A wire as the SDK iterates over it."""

    def __init__(self, wire: Wire, in_thread: InThread) -> None:
        self._wire = wire
        self._in_thread = in_thread

    def __aiter__(self) -> AsyncIterator[Line]:
        """Give the lines."""
        return self._wire.lines(self._in_thread)
