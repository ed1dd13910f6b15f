"""One suite for every place that keeps files under names: a folder, and a bucket of a real server on the loopback."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Tree
from support.timing import rest
from treemill.cli import run
from treemill.errors import IndexMissing, StorageError, UsageError
from treemill.objects import is_place, open_place
from treemill.publishing import MANIFEST_NAME, fetched, read_manifest

needs_s3 = pytest.mark.skipif(
    importlib.util.find_spec("boto3") is None or importlib.util.find_spec("moto") is None,
    reason="there is no S3 server here: pip install 'treemill[s3,s3-server]'",
)

FILES = {"app/retry.py": "def backoff(attempt):\n    return 2**attempt\n", "app/main.go": "package main\n"}


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an S3 server of its own process, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    log = (tmp_path_factory.mktemp("s3") / "log").open("wb")
    with log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            for _ in range(600):
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


@pytest.fixture(params=["folder", pytest.param("s3", marks=needs_s3)])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a place that is empty."""
    if request.param == "folder":
        return (tmp_path / "place").as_uri()
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("s3_server"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = f"b{tmp_path.name}".lower().replace("_", "-")[:60].strip("-")
    importlib.import_module("boto3").client("s3").create_bucket(Bucket=bucket)
    return f"s3://{bucket}/code/app"


def test_what_is_put_is_got_again_and_the_last_one_counts(url: str, tmp_path: Path) -> None:
    place = open_place(url, create=True)
    assert place.ages() == {}
    assert place.get("a", 100) is None
    assert not place.get_file("a", tmp_path / "x", 100)
    place.put("a", b"one")
    place.put("a", b"two and more")
    assert place.get("a", 100) == b"two and more"
    assert place.get("a", 3) == b"two"
    (tmp_path / "large").write_bytes(bytes(range(256)) * 40_000)
    place.put_file("large", tmp_path / "large")
    assert place.get_file("large", tmp_path / "copy", 20_000_000)
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "large").read_bytes()
    assert place.get_file("large", tmp_path / "part", 1000)
    assert (tmp_path / "part").stat().st_size == 1000
    assert set(place.ages()) == {"a", "large"}
    assert all(-60 < age < 600 for age in place.ages().values())
    place.remove("a")
    place.remove("a")
    assert set(place.ages()) == {"large"}


def test_an_index_is_published_and_taken_from_there_by_another_machine(
    url: str, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = tree(FILES), tree(FILES)
    local = ("--executor", "inline", "--no-cache")
    with pytest.raises(IndexMissing), fetched(url):
        pass
    assert run(["index", str(here), *local]) == 0
    assert run(["export", url, str(here)]) == 0
    assert "published 2 contents" in capsys.readouterr().err
    assert run(["import", url, str(there), *local]) == 0
    assert run(["search", "backoff", str(there), "-l", "-k1", "--no-update"]) == 0
    assert capsys.readouterr().out == "app/retry.py\n"


def test_versions_before_stay_for_who_reads_them_and_damage_is_told(url: str, tree: Tree) -> None:
    root = tree(FILES)
    names = []
    for number in range(5):
        (root / "new.py").write_text(f"n = {number}\n")
        assert run(["index", str(root), "--executor", "inline", "--no-cache", "-q"]) == 0
        assert run(["export", url, str(root)]) == 0
        manifest = read_manifest(open_place(url))
        assert manifest is not None
        names.append(manifest.file)
        assert manifest.previous == tuple(reversed(names[:-1]))[:2]
    place = open_place(url)
    with fetched(url) as (path, manifest):
        assert path.stat().st_size == manifest.bytes
    place.put(manifest.file, b"short")
    with pytest.raises(UsageError, match="is not what its manifest says"), fetched(url):
        pass
    place.remove(manifest.file)
    with pytest.raises(UsageError, match="is not there"), fetched(url):
        pass
    for damage in (b"{", b"[]", b'{"format": 9}', b'{"file": "../../x"}'):
        place.put(MANIFEST_NAME, damage)
        with pytest.raises(UsageError, match="the manifest at"), fetched(url):
            pass


def test_a_fleet_publishes_each_index_under_its_name_when_it_has_changed(url: str, tree: Tree) -> None:
    root = tree({"a/x.py": "x = 1\n", "b/y.py": "y = 1\n", "team.txt": "a\nb\n"})
    rest()
    command = ["fleet", str(root / "team.txt"), "--publish", url, "--executor", "inline", "--no-cache"]
    assert run(command) == 0
    before = [read_manifest(open_place(f"{url}/{name}")) for name in "ab"]
    (root / "a" / "z.py").write_text("z = 1\n")
    assert run(command) == 0
    after = [read_manifest(open_place(f"{url}/{name}")) for name in "ab"]
    assert [each and each.contents for each in before + after] == [1, 1, 2, 1]
    assert before[1] == after[1]


@needs_s3
def test_a_service_that_does_not_answer_or_refuses_is_told_of(
    s3_server: str, tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree(FILES)
    assert run(["index", str(root), "--executor", "inline", "--no-cache", "-q"]) == 0
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert run(["export", "s3://there-is-no-such-bucket/x", str(root)]) == StorageError("").exit_code
    assert "there-is-no-such-bucket cannot be used" in capsys.readouterr().err
    assert run(["export", "gopher://x/y", str(root)]) == UsageError("").exit_code
    assert "no kind of place" in capsys.readouterr().err


def test_places_are_told_from_files(tmp_path: Path) -> None:
    assert is_place(str(tmp_path))
    assert is_place("new/folder/")
    assert is_place("s3://bucket/x")
    assert not is_place(str(tmp_path / "app.treemill"))
