"""How soon the doors answer: start-up, an agent's first list of tools, and a keystroke on the page.

    python -m benchmarks.doors [--files 20000] [--corpus django] [--rounds 5]

Start-up is `treemill --version` and `--help` as whole processes, beside `python -c pass`. The list of tools is asked of
`treemill mcp`, by hand over its pipes as the SDK's client does first, from the start of the process, in a tree of that
many files which was never indexed; then `search` is asked there while the index is built. Keystrokes are requests to
`treemill serve` on an indexed corpus, as typing twenty questions letter by letter makes them.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from benchmarks.corpora import corpus

QUESTIONS = (
    "where are migrations applied",
    "QuerySet",
    "parse the accept header",
    "how is a session saved",
    "csrf token check",
    "render template to response",
)
_PREFIX = "io.modelcontextprotocol"
_META = {
    f"{_PREFIX}/protocolVersion": "2026-07-28",
    f"{_PREFIX}/clientInfo": {"name": "benchmark", "version": "0"},
    f"{_PREFIX}/clientCapabilities": {},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--corpus", default="django")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("start", "tools", "page"), help="measure this alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ.update(TREEMILL_STATE_DIR=f"{place}/state", XDG_CACHE_HOME=f"{place}/cache")
        if arguments.only in (None, "start"):
            start_up(arguments.rounds)
        if arguments.only in (None, "tools"):
            tools(Path(place), arguments.files, arguments.rounds)
        if arguments.only in (None, "page"):
            keystrokes(corpus(arguments.corpus), Path(place), arguments.rounds)


def start_up(rounds: int) -> None:
    """Measure whole processes that do nothing but start."""
    for words in (["-c", "pass"], ["-m", "treemill", "--version"], ["-m", "treemill", "--help"]):
        taken = []
        for _ in range(2 * rounds):
            began = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, capture_output=True)
            taken.append(time.perf_counter() - began)
        show(f"python {' '.join(words)}", taken)


def tools(place: Path, files: int, rounds: int) -> None:
    """Measure an agent's first questions, each time in a tree that was never indexed."""
    listed, searched, told = [], [], ""
    for number in range(rounds):
        root = place / f"tree{number}"
        for folder in range(files // 100):
            (root / f"p{folder}").mkdir(parents=True)
            for name in range(100):
                (root / f"p{folder}" / f"m{name}.py").write_text(
                    f"def function_{folder}_{name}():\n    return {name}\n"
                )
        began = time.perf_counter()
        with talking("mcp", str(root)) as server:
            ask(server, 0, "server/discover", {})
            ask(server, 1, "tools/list", {})
            listed.append(time.perf_counter() - began)
            call = {"name": "search", "arguments": {"query": "function_3_7", "limit": 1}}
            told = ask(server, 2, "tools/call", call)["content"][0]["text"].splitlines()[0]
            searched.append(time.perf_counter() - began)
    show(f"tools/list from the start of the process, {files:,} files not indexed", listed)
    show("search from the start of the process, index being built", searched)
    print(f"  it said: {told}")


def keystrokes(root: Path, place: Path, rounds: int) -> None:
    """Measure the answers to letters as they are typed."""
    copy = place / "corpus"
    # By hard links; an index that somebody left in the corpus is not the one to ask.
    shutil.copytree(root, copy, copy_function=os.link, symlinks=True, ignore=shutil.ignore_patterns(".treemill"))
    subprocess.run([sys.executable, "-m", "treemill", "index", "-q", str(copy)], check=True)
    with subprocess.Popen(
        [sys.executable, "-m", "treemill", "serve", "--port", "0", str(copy)], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        address = urlsplit(server.stderr.readline().split()[-1])
        cookie = f"treemill-{address.port}={address.query.removeprefix('token=')}"
        connection = http.client.HTTPConnection(address.netloc)
        taken = []
        for _ in range(rounds):
            for question in QUESTIONS:
                for length in range(1, len(question) + 1):
                    began = time.perf_counter()
                    connection.request("GET", f"/api/search?q={quote(question[:length])}", headers={"Cookie": cookie})
                    assert connection.getresponse().read()
                    taken.append(time.perf_counter() - began)
        server.terminate()
    show(f"a keystroke on {root.name}", taken)


@contextmanager
def talking(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Start a server at the other end of two pipes."""
    with subprocess.Popen(
        [sys.executable, "-m", "treemill", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            yield server
        finally:
            assert server.stdin is not None
            server.stdin.close()


def ask(server: subprocess.Popen[str], number: int, method: str, params: dict[str, Any]) -> Any:
    """Ask a server and return the result."""
    assert server.stdin is not None
    assert server.stdout is not None
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": _META}}
    server.stdin.write(json.dumps(message) + "\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())["result"]


def show(what: str, taken: list[float]) -> None:
    """Print the median, the 95th percentile and the range of some seconds, in milliseconds."""
    ordered = sorted(second * 1000 for second in taken)
    high = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    print(
        f"{what}: {statistics.median(ordered):.0f} ms ({ordered[0]:.0f}–{ordered[-1]:.0f}, p95 {high:.0f})", flush=True
    )


if __name__ == "__main__":
    main()
