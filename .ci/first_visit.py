"""A first visit, as a newcomer makes it: index, search, install for an agent, let it ask, open the page, undo.

    python .ci/first_visit.py FOLDER

Runs the `treemill` on the path, on a copy of FOLDER, with a home folder of its own. Fails with the first thing that is
not as the README says.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters, stdio_client

from treemill.agents.jsonc import parse

SETTINGS = '{\n  // mine\n  "theme": "dark",\n}\n'


def main() -> None:
    """Make the visit."""
    with tempfile.TemporaryDirectory() as place:
        home, root = Path(place) / "home", Path(place) / "project"
        home.mkdir()
        shutil.copytree(sys.argv[1], root, ignore=shutil.ignore_patterns(".git", ".treemill"))
        os.environ.update(HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"), XDG_CACHE_HOME=str(home / ".cache"))
        os.environ.pop("TREEMILL_STATE_DIR", None)
        settings = home / ".claude.json"
        settings.write_text(SETTINGS)
        os.chdir(root)
        assert "indexed" in said("treemill", "index").stderr
        assert "src/treemill/" in said("treemill", "search", "how is a failed file reported").stdout
        assert "Claude Code" in said("treemill", "install", "-y").stdout
        anyio.run(ask_as_agent, parse(settings.read_text()).value["mcpServers"]["treemill"])
        look_at_the_page()
        said("treemill", "uninstall", "-y")
        assert settings.read_text() == SETTINGS, "the agent's settings are not as they were"
        said("treemill", "clear", "-y")
        assert not (root / ".treemill").exists(), "something is left in the project"
    print("a first visit: as the README says")


def said(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command that must end well."""
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done


async def ask_as_agent(entry: dict[str, Any]) -> None:
    """Start the server as an agent does from its settings, and ask it."""
    server = StdioServerParameters(command=entry["command"], args=entry["args"], env=dict(os.environ))
    with anyio.fail_after(120):
        async with Client(stdio_client(server)) as client:
            answer = await client.call_tool("search", {"query": "how is a failed file reported"})
            assert "## src/treemill/" in answer.content[0].text, answer.content[0].text


def look_at_the_page() -> None:
    """Open the page at the address that is printed, and ask it."""
    with subprocess.Popen(["treemill", "serve", "--port", "0"], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        address = server.stderr.readline().split()[-1]
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        try:
            assert b"<title>Treemill</title>" in browser.open(address, timeout=60).read()
            found = json.loads(browser.open(address.split("?")[0] + "api/search?q=failed+file", timeout=60).read())
            assert found["results"], found
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
