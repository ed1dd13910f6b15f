"""Another model than the default, end to end: the command line, a real server on loopback, and what goes wrong."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import Tree
from support.embedding_server import KEY, EmbeddingServer
from treemill.cli import run
from treemill.storage.location import locate
from treemill.storage.sqlite import SqliteStore

pytest.importorskip("httpx", reason="the extra treemill[http] is not installed")

Treemill = Callable[..., tuple[int, str, str]]

FILES = {
    "shop/cart.py": "class Cart:\n    def add_item(self, item):\n        self.items.append(item)\n",
    "shop/pay.py": "def charge_card(cart):\n    return gateway.charge(cart.total())\n",
}


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer(key=KEY) as running:
        yield running


@pytest.fixture(autouse=True)
def settings(server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own settings: the http provider at the server, its key in the usual variable."""
    for variable in ("OPENAI_BASE_URL", "OLLAMA_HOST", "VOYAGE_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    path = Path(os.environ["TREEMILL_CONFIG"])
    path.write_text(
        f'[embedding]\nprovider = "http"\nmodel = "m"\nbase_url = "{server.url}"\n'
        '[chunker.concurrency]\nexecutor = "inline"\n'
    )
    return path


@pytest.fixture
def treemill(capsys: pytest.CaptureFixture[str]) -> Treemill:
    """Return what runs a command in this process: exit code, output and messages, which never hold the key."""

    def said(*words: str | Path, **env: str) -> tuple[int, str, str]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            code = run([str(word) for word in words])
        output = capsys.readouterr()
        assert KEY not in output.out + output.err
        return code, output.out, output.err

    return said


def vectors_in(root: Path) -> tuple[int, int, str | None]:
    with SqliteStore(locate(root)) as store, store.snapshot() as snapshot:
        coverage = snapshot.coverage()
        return coverage.vectors, coverage.chunks, snapshot.recipe.model


def assert_no_key_in(folder: Path) -> None:
    held = [path for path in folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert not held


def test_a_tree_is_indexed_and_asked_with_a_server(tree: Tree, treemill: Treemill, server: EmbeddingServer) -> None:
    root = tree(FILES)
    time.sleep(0.15)  # what is read within a tenth of a second after it was written is looked at once more
    code, _, err = treemill("index", root)
    assert (code, "indexed 2 files" in err) == (0, True), err
    assert vectors_in(root) == (2, 2, "http:m")
    assert {text for text in server.texts if "charge" in text} == {FILES["shop/pay.py"]}
    code, out, err = treemill("search", "charge the card", root)
    assert code == 0, err
    assert out.startswith("shop/pay.py")
    assert "by words alone" not in err
    assert_no_key_in(root)
    asked = len(server.requests)
    assert treemill("index", root)[0] == 0
    assert len(server.requests) == asked, "nothing changed, so nothing is asked"


def test_a_wrong_key_is_told_before_any_work(tree: Tree, treemill: Treemill, server: EmbeddingServer) -> None:
    root = tree(FILES)
    code, out, err = treemill("index", root, OPENAI_API_KEY="sk-another-key")
    assert code == 7
    assert "refused the key (401: Incorrect API key provided). Set OPENAI_API_KEY" in err
    assert "sk-another-key" not in out + err
    assert len(server.requests) == 1
    assert treemill("index", root)[0] == 0
    (root / "more.py").write_text("x = 1\n")
    code, _, err = treemill("index", root, OPENAI_API_KEY="sk-another-key")
    assert code == 7, "the length of vectors is known now, and the key is still looked at first"
    assert vectors_in(root) == (2, 2, "http:m")


def test_a_server_that_is_gone_leaves_search_by_words_and_says_so(
    tree: Tree, treemill: Treemill, server: EmbeddingServer
) -> None:
    root = tree(FILES)
    assert treemill("index", root)[0] == 0
    server.stop()
    code, out, _ = treemill("search", "charge the card", root)
    assert code == 0
    assert out.startswith("shop/pay.py")
    (root / "more.py").write_text("x = 1\n")
    code, out, err = treemill("search", "charge the card", root)
    assert (code, out.startswith("shop/pay.py")) == (0, True), err
    assert "was not refreshed" in err
    code, _, err = treemill("index", root)
    assert code == 7
    assert f"{server.url} cannot be reached" in err
    assert "Check that it runs" in err


def test_a_server_that_dies_during_a_run_costs_only_the_files_that_it_had_not_embedded(
    tree: Tree, treemill: Treemill, server: EmbeddingServer
) -> None:
    root = tree({f"f{number}.py": f"def f{number}(): return {number}\n" for number in range(8)})

    server.dies_after = 3  # two probes, and one request for one file or two
    env = {"TREEMILL_EMBEDDING__MAX_TEXTS": "2", "TREEMILL_EMBEDDING__CONCURRENT_REQUESTS": "4"}
    code, out, err = treemill("index", root, "--json", "--strict", **env)
    assert code == 8, err
    report = json.loads(out)
    failed = [each for each in report["stats"]["failures"] if each["stage"] == "embed"]
    assert len(failed) in (6, 7)
    assert all(server.url in each["message"] for each in failed)
    vectors, chunks, _ = vectors_in(root)
    assert vectors == chunks == 8 - len(failed)


def test_another_model_is_a_message_with_the_command_and_a_rebuild_swaps(
    tree: Tree, treemill: Treemill, server: EmbeddingServer, settings: Path
) -> None:
    root = tree(FILES)
    assert treemill("index", root)[0] == 0
    other = {"TREEMILL_EMBEDDING__MODEL": "n"}
    code, _, err = treemill("index", root, **other)
    assert code == 4
    assert "http:m" in err
    assert "http:n" in err
    assert "treemill index --rebuild" in err
    code, out, err = treemill("search", "charge the card", root, **other)
    assert code == 0
    assert out.startswith("shop/pay.py")
    assert "treemill index --rebuild" in err
    assert treemill("index", "--rebuild", root, **other)[0] == 0
    assert vectors_in(root) == (2, 2, "http:n")
    server.always = "500"
    code, _, err = treemill("index", "--rebuild", root)
    assert code == 7, err
    assert vectors_in(root) == (2, 2, "http:n"), "what failed replaces nothing"


def test_a_hostile_tree_sends_its_code_nowhere(
    tree: Tree, treemill: Treemill, server: EmbeddingServer, settings: Path
) -> None:
    settings.write_text('[chunker.concurrency]\nexecutor = "inline"\n')
    hostile = f'[embedding]\nprovider = "http"\nmodel = "m"\nbase_url = "{server.url}"\n'
    root = tree({**FILES, "treemill.toml": hostile})
    for words in (("index", root), ("search", "cart", root), ("config", "--check", root), ("doctor", root)):
        _, _, err = treemill(*words)
        assert "Traceback" not in err
    assert "a tree does not choose where its code is sent" in treemill("index", root)[2]
    assert server.requests == []


# ── config ──


def test_config_shows_each_setting_and_where_it_came_from(
    tree: Tree, treemill: Treemill, settings: Path, server: EmbeddingServer
) -> None:
    root = tree({"treemill.toml": "[search]\ntop_k = 3\n[embedding]\nmodel = 'theirs'\n"})
    code, out, err = treemill("config", root, TREEMILL_SEARCH__PER_FILE="2")
    assert code == 0
    rows = {line.split()[0]: line.split(None, 2)[1:] for line in out.splitlines() if "." in line.split(" ")[0]}
    assert rows["search.top_k"] == ["3", "treemill.toml line 2"]
    assert rows["search.per_file"] == ["2", "environment variable TREEMILL_SEARCH__PER_FILE"]
    assert rows["embedding.model"] == ["m", f"{settings} line 3"]
    assert rows["embedding.api_key"] == ["set", "environment variable OPENAI_API_KEY"]
    assert rows["storage.commit_seconds"] == ["0.5", "default"]
    assert f"provider   http: set by {settings} line 2" in out
    assert f"are sent to {server.url}" in out
    assert "embedding.model is not taken from treemill.toml line 4" in err
    assert server.requests == [], "showing sends nothing"


def test_config_as_json_and_where_the_file_is(
    tree: Tree, treemill: Treemill, settings: Path, server: EmbeddingServer
) -> None:
    code, out, _ = treemill("config", "--json", "--check", tree({}))
    values = json.loads(out)
    assert code == 0
    assert values["settings"]["embedding.api_key"] == {
        "value": "set",
        "origin": "environment variable OPENAI_API_KEY",
    }
    assert values["settings"]["discovery.exclude"] == {"value": [], "origin": "default"}
    provider = values["provider"]
    assert (provider["name"], provider["model"], provider["where"]) == ("http", "http:m", server.url)
    assert (provider["answers"], provider["dimension"], provider["trouble"]) == (True, 8, "")
    assert treemill("config", "--file")[1] == f"{settings}\n"


def test_config_and_doctor_say_what_is_wrong_with_the_provider(
    tree: Tree, treemill: Treemill, server: EmbeddingServer
) -> None:
    root = tree(FILES)
    assert treemill("index", root)[0] == 0
    server.always = "500"
    code, out, _ = treemill("config", "--check", root)
    assert code == 7
    assert "answered 500" in out
    code, out, _ = treemill("doctor", root)
    assert code == 6
    assert "answered 500" in out
    code, out, _ = treemill("config", root, TREEMILL_EMBEDDING__BASE_URL="http://me:secret@host/v1")
    assert code == 7
    assert "must hold neither a password" in out
    assert "secret" not in out
