"""Many repositories: lists, the catalogue, plans by bytes, what is fetched, and one that is broken."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import Tree
from treemill.checkouts import is_url, without_secrets
from treemill.cli import run
from treemill.errors import IndexLocked, UsageError
from treemill.fleet.catalogue import Catalogue, Entry, State
from treemill.fleet.listing import Repository, read_listing
from treemill.fleet.planning import plan_by_bytes
from treemill.fleet.visiting import Order

INLINE = ("--executor", "inline", "--no-cache")

APP = {"app/retry.py": "def backoff(attempt):\n    return 2**attempt\n", "app/notes.md": "# Notes\n"}
LIB = {"lib/parse.go": "package lib\n\nfunc Parse() {}\n"}


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def committed(folder: Path) -> Path:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


def status(capsys: pytest.CaptureFixture[str], file: Path) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["fleet", str(file), "--status", "--json"]) == 0
    return {each["name"]: each for each in json.loads(capsys.readouterr().out)["repositories"]}


def test_a_fleet_of_folders_and_urls_is_indexed_and_the_broken_one_is_reported(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree({f"here/{name}": text for name, text in APP.items()})
    remote = committed(tree(LIB))
    file = root / "team.txt"
    file.write_text(f"# ours\nhere\nfile://{remote}\n\nnowhere\nfile:///nowhere/at/all.git\n")
    assert run(["fleet", str(file), *INLINE, "--report", str(root / "fleet.html")]) == 8
    said = capsys.readouterr().err
    assert "there is no folder" in said
    assert "git cannot fetch file:///nowhere/at/all.git" in said
    assert "complete: 2 of 4 repositories (3 files" in said
    known = status(capsys, file)
    assert {name: each["state"] for name, each in known.items()} == {
        "here": "complete",
        remote.name: "complete",
        "nowhere": "failed",
        "all": "failed",
    }
    assert known[remote.name]["commit"] == git(remote, "rev-parse", "HEAD")
    page = (root / "fleet.html").read_text()
    assert "there is no folder" in page
    assert "2</b><span>repositories complete" in page
    assert run(["fleet", str(file), "--roots"]) == 0
    roots = capsys.readouterr().out.split()
    assert run(["search", "Parse", *roots, "-l", "-k1"]) == 0
    assert "lib/parse.go" in capsys.readouterr().out


def test_a_url_is_fetched_again_only_where_its_commit_has_changed(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    root, remote = tree({}), committed(tree(LIB))
    file = root / "team.txt"
    file.write_text(f"file://{remote}\n")
    assert run(["fleet", str(file), *INLINE]) == 0
    fetched = status(capsys, file)[remote.name]
    head = Path(fetched["root"]) / ".git" / "FETCH_HEAD"
    before = head.stat().st_mtime_ns
    assert run(["fleet", str(file), *INLINE]) == 0
    assert "1 unchanged" in capsys.readouterr().err
    assert head.stat().st_mtime_ns == before
    (remote / "lib" / "more.go").write_text("package lib\n\nfunc More() {}\n")
    committed(remote)
    assert run(["fleet", str(file), *INLINE]) == 0
    again = status(capsys, file)[remote.name]
    assert (again["files"], again["commit"]) == (2, git(remote, "rev-parse", "HEAD"))


def test_a_revision_can_be_named_and_is_kept_to(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    root, remote = tree({}), committed(tree(LIB))
    git(remote, "tag", "-a", "v1", "-m", "one")
    first = git(remote, "rev-parse", "HEAD")
    (remote / "more.go").write_text("package more\n")
    committed(remote)
    file = root / "team.toml"
    entry = '[[repository]]\nsource = "file://{}"\nname = "{}"\nrevision = "{}"\n'
    file.write_text(
        "".join(entry.format(remote, name, name) for name in ("v1", "main")) + entry.format(remote, "x", "no")
    )
    assert run(["fleet", str(file), *INLINE]) == 8
    known = status(capsys, file)
    assert (known["v1"]["commit"], known["v1"]["files"], known["main"]["files"]) == (first, 1, 2)
    assert known["x"]["state"] == "failed"
    assert run(["fleet", str(file), *INLINE]) == 8
    assert "2 unchanged" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_interrupted_or_killed_goes_on_where_it_was(
    number: signal.Signals, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four repositories, the largest first; a server that never answers holds up the run before the two small ones."""
    root = tree({f"r{n}/m.py": f"def f{n}():\n    return {n}\n" * (400 if n < 3 else 4) for n in range(5)})
    file = root / "team.txt"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"git://127.0.0.1:{silent.getsockname()[1]}/silent.git"
        file.write_text("".join(f"r{n}\n" for n in range(5)) + f"{url}\n")
        command = [sys.executable, "-m", "treemill", "fleet", str(file), "--no-cache", "--workers", "1"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            connection, _ = silent.accept()
            with connection:
                soon = time.monotonic() + 60
                while list((before := status(capsys, file)).values())[2]["state"] != "complete":
                    assert time.monotonic() < soon
                process.send_signal(number)
                assert process.wait(30) == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert sorted(name for name, each in before.items() if each["state"] == "complete") == ["r0", "r1", "r2"]
    assert before["silent"]["state"] == "indexing"
    assert status(capsys, file)["silent"]["state"] == ("interrupted" if number == signal.SIGINT else "indexing")
    assert run(["fleet", str(file), *INLINE]) == 8
    said = capsys.readouterr().err
    assert "3 unchanged" in said
    assert "complete: 5 of 6 repositories" in said
    assert {each["state"] for name, each in status(capsys, file).items() if name != "silent"} == {"complete"}


def test_only_one_run_of_a_fleet_goes_on_at_a_time(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree({"a/x.py": "x = 1\n", "team.txt": "a\n"})
    with Catalogue(root / "team.fleet", write=True), pytest.raises(IndexLocked):
        Catalogue(root / "team.fleet", write=True)
    with Catalogue(root / "team.fleet", write=True):
        assert run(["fleet", str(root / "team.txt"), *INLINE]) == 5
    assert "fleet" in capsys.readouterr().err


def test_what_a_killed_run_had_in_hand_is_interrupted_and_what_is_not_listed_is_forgotten(tmp_path: Path) -> None:
    with Catalogue(tmp_path, write=True) as catalogue:
        catalogue.begin([Entry("a", "a"), Entry("b", "b"), Entry("c", "c")])
        catalogue.put(Entry("a", "a", State.INDEXING), Entry("b", "b", State.COMPLETE, files=3))
    with Catalogue(tmp_path, write=True) as catalogue:
        assert catalogue.begin([Entry("a", "a"), Entry("b", "elsewhere")]) == 1
        assert [(each.name, each.state, each.files) for each in catalogue.entries().values()] == [
            ("a", State.INTERRUPTED, 0),
            ("b", State.PENDING, 0),
        ]


def test_large_repositories_get_all_workers_and_small_ones_a_worker_each_the_largest_first() -> None:
    orders = [Order(Repository(name, name)) for name in ("small", "huge", "unknown", "middle")]
    sizes = {"small": 1_000, "huge": 500_000_000, "middle": 5_000_000, "unknown": 0}
    plan = plan_by_bytes(orders, sizes, workers=4)
    assert [each.repository.name for each in plan.together] == ["huge"]
    assert [each.repository.name for each in plan.apart] == ["unknown", "middle", "small"]
    assert len(plan_by_bytes(orders, sizes, workers=1).together) == 0
    assert len(plan_by_bytes(orders, sizes, workers=1, all_together=True).together) == 4


def test_lists_name_their_repositories_and_mistakes_in_them_are_told(tmp_path: Path) -> None:
    file = tmp_path / "team.txt"
    file.write_text(
        "\ufeff# comment\n~/src/app\nlib\nhttps://git.example.org/team/lib.git\ngit@git.example.org:team/x.git\n"
    )
    names = {each.name: each.source for each in read_listing(file)}
    assert names == {
        "app": os.path.expanduser("~/src/app"),
        "lib": str(tmp_path / "lib"),
        "lib-2": "https://git.example.org/team/lib.git",
        "x": "git@git.example.org:team/x.git",
    }
    for name, text, message in (
        ("a.txt", "# nothing\n", "lists no repository"),
        ("b.txt", "x\nx\n", "twice"),
        ("c.toml", "[[repository]]\nname = 'x'\n", "without a source"),
        ("d.json", '[{"source": "x", "branch": "y"}]', "'branch' is no field"),
        ("e.json", '[{"source": "x", "name": "../y"}]', "cannot be a name"),
        ("f.toml", "[[repository]\n", "is not valid TOML"),
        ("g.json", '["--upload-pack=x"]', "makes no sense"),
        ("h.json", "[1]", "without a source"),
        ("missing.txt", None, "cannot be read"),
    ):
        if text is not None:
            (tmp_path / name).write_text(text)
        with pytest.raises(UsageError, match=message):
            read_listing(tmp_path / name)


def test_urls_are_told_from_paths_and_shown_without_secrets(tree: Tree) -> None:
    bare = tree({})
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
    assert is_url("ssh://git@host/x")
    assert is_url("git@host:x.git")
    assert is_url(str(bare))
    assert not is_url("src/app")
    assert without_secrets("https://me:secret@host:8443/x.git?token=1") == "https://host:8443/x.git"
    assert without_secrets("https://token@host/x.git") == "https://host/x.git"
    assert without_secrets("ssh://git@host/x.git") == "ssh://git@host/x.git"
    assert without_secrets("git@host:x.git") == "git@host:x.git"
