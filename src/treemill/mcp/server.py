"""The tools on the official SDK: calls → desk, in threads; progress and cancellation back.

The desk, with all it needs of the engine, is loaded behind in a thread, so that a client that asks what tools there are
does not wait for it; the first call that needs it does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, cast

import anyio
import anyio.to_thread
import mcp_types as wire
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from treemill._version import __version__
from treemill.errors import TreemillError
from treemill.mcp.doorman import Incoming, Wire
from treemill.mcp.given import checked, tool_named
from treemill.mcp.tools import INSTRUCTIONS, TOOLS

_DESK = "treemill.mcp.desk"

# How many calls compute at once; the others wait their turn. Answers hold the interpreter, so more would gain nothing.
_AT_ONCE = 4

_BEAT_SECONDS = 0.25

Context = ServerRequestContext[dict[str, Any], Any]


class Service:
    """The tools of some roots. `open` starts what it does behind, `close` ends it."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = roots
        self._desk: Any = None
        self._error: TreemillError | None = None
        self._there = threading.Event()
        self._threads: anyio.CapacityLimiter | None = None

    def open(self) -> None:
        """Begin to load the desk and to index, behind."""
        threading.Thread(target=self._open_desk, name="treemill-desk", daemon=True).start()

    def close(self) -> None:
        """End indexing, keeping what is committed."""
        self._there.wait()
        if self._desk is not None:
            self._desk.__exit__(None, None, None)

    def _open_desk(self) -> None:
        try:
            self._desk = import_module(_DESK).Desk(self._roots).__enter__()
        except TreemillError as error:
            self._error = error
        finally:
            self._there.set()

    def desk(self) -> Any:
        """Wait for the desk.

        Raises:
            TreemillError: it cannot serve these roots.
        """
        self._there.wait()
        if self._error is not None:
            raise self._error
        return self._desk

    async def list_tools(self, context: Context, params: wire.PaginatedRequestParams | None) -> wire.ListToolsResult:
        """Answer `tools/list`."""
        return wire.ListToolsResult(
            tools=[
                wire.Tool(
                    name=tool.name,
                    title=tool.title,
                    description=tool.description,
                    input_schema=dict(tool.schema),
                    annotations=wire.ToolAnnotations(read_only_hint=tool.read_only, open_world_hint=False),
                )
                for tool in TOOLS
            ]
        )

    async def call_tool(self, context: Context, params: wire.CallToolRequestParams) -> wire.CallToolResult:
        """Answer `tools/call`; what the caller can mend comes back as a result that is an error."""
        try:
            tool = tool_named(params.name)
            given = checked(tool, params.arguments)
            desk = await self._in_thread(self.desk)
            calls: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
                "search": desk.search,
                "find_related": desk.find_related,
                "read_chunk": desk.read_chunk,
                "index_status": desk.status,
            }
            if tool.name == "reindex":
                text = await self._reindex(context, desk, given)
            else:
                text = await self._in_thread(calls[tool.name], given)
        except TreemillError as error:
            return _result(str(error), is_error=True)
        return _result(text)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run in a thread; a call that is cancelled is let go of at once."""
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(_AT_ONCE)
        return await anyio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True, limiter=self._threads)

    async def _reindex(self, context: Context, desk: Any, given: Mapping[str, Any]) -> str:
        """Have the roots looked at; while it is waited for, report progress. A cancelled call ends the runs."""
        hosts = list(desk.hosts(given.get("root")).values())
        tickets = [(host, host.refresh(retry=given.get("retry", False))) for host in hosts]
        if given.get("wait", True):
            reported = -1
            try:
                for host, ticket in tickets:
                    while not await anyio.to_thread.run_sync(host.wait, ticket, _BEAT_SECONDS, abandon_on_cancel=True):
                        progress = host.status().progress
                        if progress is not None and progress.ended > reported:
                            reported = progress.ended
                            message = f"{progress.files_per_second:,.0f} files/s"
                            await context.session.report_progress(progress.ended, progress.known, message)
            except anyio.get_cancelled_exc_class():
                for host in hosts:
                    host.cancel()
                raise
        text: str = await self._in_thread(desk.status, given)
        return text


def _result(text: str, *, is_error: bool = False) -> wire.CallToolResult:
    # Names and sources may hold what JSON has no form for: surrogates of bytes that are no UTF-8.
    shown = text.encode("utf-8", "replace").decode()
    return wire.CallToolResult(content=[wire.TextContent(type="text", text=shown)], is_error=is_error)


def server_for(service: Service) -> Server[dict[str, Any]]:
    """Return the SDK's server over a service."""
    return Server(
        "treemill",
        version=__version__,
        title="Treemill",
        instructions=INSTRUCTIONS,
        on_list_tools=service.list_tools,
        on_call_tool=service.call_tool,
    )


def serve_wire(roots: Sequence[str], wire: Wire) -> None:
    """Serve one client over standard input and output, until it closes them."""
    service = Service(roots)

    async def in_thread(read: Callable[[], str | None]) -> str | None:
        return await anyio.to_thread.run_sync(read, abandon_on_cancel=True)

    async def serve() -> None:
        server = server_for(service)
        # The SDK asks of both only what the wire has: to be iterated over, to be written and flushed.
        incoming, outgoing = cast(Any, Incoming(wire, in_thread)), cast(Any, wire)
        async with stdio_server(incoming, outgoing) as (reading, writing):
            service.open()
            await server.run(reading, writing, server.create_initialization_options())

    try:
        anyio.run(serve)
    finally:
        service.close()
