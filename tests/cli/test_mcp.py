"""The MCP server from outside: the SDK's own client, a real process, over pipes and over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from conftest import Tree
from support.processes import environment
from treemill.mcp.tools import TOOL_OF

CODE = {
    "shop/cart.py": 'def add_item(cart, item):\n    """Put an item into the cart."""\n    cart.append(item)\n',
    "shop/order.py": "def place_order(cart):\n    return sum(item.price for item in cart)\n",
    "docs/shop.md": "# The shop\n\nItems go into a cart.\n",
}
TOKEN = "a-token-that-is-long-enough"


def talk(roots: list[Path], conversation: Callable[[Client], Awaitable[None]], *, seconds: float = 60.0) -> None:
    """Hold a conversation with a server that is started for it."""

    async def run() -> None:
        words = ["-m", "treemill", "mcp", *map(str, roots)]
        server = StdioServerParameters(command=sys.executable, args=words, env=environment())
        with anyio.fail_after(seconds):
            async with Client(stdio_client(server)) as client:
                await conversation(client)

    anyio.run(run)


async def said(client: Client, tool: str, **arguments: object) -> str:
    """Call a tool and return its text."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    return result.content[0].text


async def refused(client: Client, tool: str, **arguments: object) -> str:
    """Call a tool that must refuse and return its message."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return result.content[0].text


def test_an_agent_finds_reads_and_relates_code_in_a_tree_that_was_never_indexed(tree: Tree) -> None:
    root = tree(CODE)

    async def conversation(client: Client) -> None:
        assert [tool.name for tool in (await client.list_tools()).tools] == list(TOOL_OF)
        await said(client, "reindex")
        answer = await said(client, "search", query="put an item into the cart", limit=3)
        assert answer.startswith("[searched 3 of 3 files]")
        assert "## shop/cart.py:1-3 function add_item" in answer
        assert "place_order" not in await said(client, "search", query="cart", paths=["docs/**"])
        assert "def place_order" in await said(client, "read_chunk", file_path="shop/order.py", line=2)
        assert "shop/" in await said(client, "find_related", file_path="shop/cart.py")
        status = await said(client, "index_status")
        assert f"root: {root.resolve()}" in status
        assert "searchable: 3 of 3 files" in status

    talk([root], conversation)


def test_a_search_that_comes_first_is_answered_with_coverage_and_never_silently_empty(tree: Tree) -> None:
    root = tree({**CODE, **{f"many/m{n}.py": f"def function_{n}(): ...\n" * 20 for n in range(200)}})

    async def conversation(client: Client) -> None:
        answer = await said(client, "search", query="add_item")
        assert "## shop/cart.py" in answer or "ask again" in answer

    talk([root], conversation)


def test_sixty_calls_in_flight_are_all_answered(tree: Tree) -> None:
    root = tree(CODE)

    async def conversation(client: Client) -> None:
        await said(client, "reindex")
        answers: list[str] = []

        async def ask(number: int) -> None:
            answers.append(await said(client, "search", query=("add_item", "place_order")[number % 2]))

        async with anyio.create_task_group() as calls:
            for number in range(60):
                calls.start_soon(ask, number)
        assert len(answers) == 60
        assert all("## shop/" in answer for answer in answers)

    talk([root], conversation)


def test_reindex_reports_progress_and_the_end(tree: Tree) -> None:
    root = tree({f"m{n}.py": f"def function_{n}(): ...\n" * 200 for n in range(100)})
    beats: list[float] = []

    async def conversation(client: Client) -> None:
        async def beat(done: float, total: float | None, message: str | None) -> None:
            beats.append(done)

        result = await client.call_tool("reindex", {}, progress_callback=beat)
        assert "searchable: 100 of 100 files" in result.content[0].text

    talk([root], conversation)
    assert beats == sorted(beats)


def test_a_call_that_is_cancelled_ends_the_run_and_the_server_goes_on(tree: Tree) -> None:
    root = tree({f"m{n}.py": f"def function_{n}(): ...\n" * 1_000 for n in range(80)})

    async def conversation(client: Client) -> None:
        with anyio.move_on_after(0.3):
            await client.call_tool("reindex", {})
        assert "root:" in await said(client, "index_status")
        assert "searchable: 80 of 80 files" in await said(client, "reindex")

    talk([root], conversation)


def test_several_roots_are_asked_at_once_and_named(tree: Tree) -> None:
    one, two = tree({"a.py": "def shared_one(): ...\n"}), tree({"b.py": "def shared_two(): ...\n"})

    async def conversation(client: Client) -> None:
        await said(client, "reindex")
        answer = await said(client, "search", query="shared")
        assert f"in {one.resolve()}" in answer
        assert f"in {two.resolve()}" in answer
        assert "a.py" not in await said(client, "search", query="shared", root=str(two))
        assert "is not served here" in await refused(client, "search", query="shared", root="/")
        assert "def shared_two" in await said(client, "read_chunk", file_path="b.py")

    talk([one, two], conversation)


def test_what_cannot_be_done_is_said_with_what_can(tree: Tree) -> None:
    root = tree(CODE)

    async def conversation(client: Client) -> None:
        await said(client, "reindex")
        assert "needs 'query'" in await refused(client, "search")
        assert "from 1 to 50" in await refused(client, "search", query="x", limit=10**9)
        assert "a list of texts" in await refused(client, "search", query="x", paths="src")
        assert "takes no 'colour'" in await refused(client, "search", query="x", colour="red")
        assert "there is no tool" in await refused(client, "grep", query="x")
        assert "not in the index" in await refused(client, "read_chunk", file_path="../../etc/passwd")
        assert "has no line 400" in await refused(client, "read_chunk", file_path="shop/cart.py", line=400)
        assert "No result" in await said(client, "search", query="zzyzzx")
        assert "\x1b" not in await refused(client, "search", query="(", mode="regex")

    talk([root], conversation)


def test_an_answer_stays_within_its_tokens(tree: Tree) -> None:
    root = tree(
        {f"m{n}.py": f'def function_{n}():\n    """Handle the request."""\n' + "    step()\n" * 80 for n in range(9)}
    )

    async def conversation(client: Client) -> None:
        await said(client, "reindex")
        short = await said(client, "search", query="handle the request", max_tokens=400)
        assert len(short.encode()) < 400 * 4
        assert "cut at max_tokens" in short

    talk([root], conversation)


def test_words_that_are_no_protocol_are_survived(tree: Tree) -> None:
    root = tree(CODE)
    lines = [
        "this is no JSON",
        '{"jsonrpc": "2.0"}',
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "no/such"}),
        json.dumps(
            {
                "jsonrpc": "2.0",
                "id": 2,
                "method": "initialize",
                "params": {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {},
                    "clientInfo": {"name": "t", "version": "0"},
                },
            }
        ),
    ]
    process = subprocess.run(
        [sys.executable, "-m", "treemill", "mcp", str(root)],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
    )
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    assert process.returncode == 0
    assert any(answer.get("id") == 2 and "result" in answer for answer in answers) or any(
        "error" in answer for answer in answers
    )


@contextmanager
def http_server(root: Path, **variables: str) -> Iterator[str]:
    """Start a server over HTTP on a free port and give its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "treemill", "mcp", "--http", "--port", "0", str(root)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )
    try:
        assert process.stderr is not None
        yield process.stderr.readline().split()[-1]
    finally:
        process.terminate()
        with process:
            pass


def test_clients_over_http_are_served_with_the_token_alone(tree: Tree) -> None:
    root = tree(CODE)

    async def conversation(address: str) -> None:
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as http,
            Client(streamable_http_client(address, http_client=http)) as client,
        ):
            assert "searchable: 3 of 3" in await said(client, "reindex")
            assert "add_item" in await said(client, "search", query="add_item")

    with http_server(root, TREEMILL_MCP_TOKEN=TOKEN) as address:
        _wait_until_listening(address)
        assert _status_of(address, {}) == 401
        assert _status_of(address, {"Authorization": "Bearer wrong"}) == 401
        foreign = {"Authorization": f"Bearer {TOKEN}", "Origin": "http://elsewhere.example"}
        assert _status_of(address, foreign) in (400, 403)
        asyncio.run(conversation(address))


def _wait_until_listening(address: str) -> None:
    host, port = address.removeprefix("http://").split("/")[0].split(":")
    socket.create_connection((host, int(port)), 30).close()


def _status_of(address: str, headers: dict[str, str]) -> int:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
    kinds = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    request = urllib.request.Request(address, body, {**kinds, **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mcp", "no-such-folder"], "there is no folder"),
        (["mcp", "--http", "--port", "99999"], "is no port"),
        (["mcp", "--http", "--host", "0.0.0.0"], "--remote"),
        (["mcp", "--http", "--token-file", "nowhere"], "cannot read nowhere"),
    ],
)
def test_a_server_that_cannot_start_says_why(tree: Tree, words: list[str], message: str) -> None:
    root = tree(CODE)
    done = subprocess.run(
        [sys.executable, "-m", "treemill", *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=root,
        env=environment(),
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert not os.path.exists(root / ".treemill")


def test_a_port_in_use_is_named(tree: Tree) -> None:
    root = tree(CODE)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "treemill", "mcp", "--http", "--port", port],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=root,
            env=environment(),
        )
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
