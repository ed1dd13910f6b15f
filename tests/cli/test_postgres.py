"""The command line with an index on PostgreSQL: the same words, and errors that come before any work."""

from __future__ import annotations

import json
import os
import socket

import pytest

from support.postgres_server import PostgresServer, needs_postgres
from support.timing import rest
from treemill.cli import run

pytestmark = needs_postgres

TREE = {
    "app/retry.py": 'def backoff(attempt):\n    """Wait before the next attempt."""\n    return 2**attempt\n',
    "app/main.py": "from app.retry import backoff\n\nprint(backoff(3))\n",
    "notes.md": "# Notes\n\nNothing about it.\n",
}


@pytest.fixture
def store(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TREEMILL_CHUNKER__CONCURRENCY__EXECUTOR", "inline")
    return postgres_server.new_database()


def says(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run the command line, without worker processes; return its exit code and what it says."""
    code = run([*words, "--executor", "inline"] if words[0] == "index" else list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_tree_is_indexed_asked_explained_rebuilt_and_cleared_and_its_folder_stays_as_it_was(
    tree, store, capsys, postgres_server
):
    root = tree(TREE)
    told = ["--store", store]
    assert says(capsys, "index", str(root), *told)[0] == 0
    code, out, _ = says(capsys, "search", "wait before the next attempt", str(root), "--json", *told)
    assert (code, json.loads(out)["results"][0]["file_path"]) == (0, "app/retry.py")
    (root / "notes.md").write_text("# Notes\n\nA zebra crossing.\n")
    assert says(capsys, "search", "zebra crossing", str(root), "-lk1", *told)[1] == "notes.md\n"
    code, out, _ = says(capsys, "status", str(root), "--json", *told)
    status = json.loads(out)
    assert (code, status["coverage"]["searchable"], status["run"]["state"]) == (0, 3, "complete")
    assert says(capsys, "search", "main.py", str(root / "app"), "-lk1", *told)[1] == "app/main.py\n"
    code, out, _ = says(capsys, "why", str(root / "app" / "main.py"), *told)
    assert (code, out.startswith("app/main.py: indexed")) == (0, True)
    assert says(capsys, "find-related", str(root / "app" / "main.py"), "-l", *told)[0] == 0
    assert says(capsys, "index", str(root), "--rebuild", *told)[0] == 0
    assert says(capsys, "search", "zebra crossing", str(root), "-lk1", "--no-update", *told)[1] == "notes.md\n"
    assert says(capsys, "clear", "-y", str(root), *told)[0] == 0
    code, _, said = says(capsys, "status", str(root), *told)
    assert code == 3
    assert "treemill index" in said
    assert sorted(os.listdir(root)) == ["app", "notes.md"]
    assert postgres_server.password not in out + said


def test_doctor_finds_what_is_damaged_in_the_database_and_what_differs_from_the_tree(
    tree, store, capsys, postgres_server
):
    root = tree(TREE)
    told = ["--store", store, "--repository", "app"]
    assert says(capsys, "doctor", str(root), *told)[0] == 0, "there is nothing to find wrong yet"
    rest()
    assert says(capsys, "index", str(root), *told)[0] == 0
    code, out, _ = says(capsys, "doctor", str(root), *told)
    assert (code, out.splitlines()[-1]) == (0, "all is well")
    file = root / "notes.md"
    before = file.stat()
    file.write_bytes(file.read_bytes().swapcase())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    code, out, _ = says(capsys, "doctor", str(root), *told)
    assert "1 files changed" in out
    damage = "UPDATE treemill.bulk SET text = decode('00', 'hex')"
    postgres_server.execute(damage, database=store.rpartition("/")[2].partition("?")[0])
    code, out, said = says(capsys, "doctor", str(root), *told)
    assert code == 6, out + said
    assert "is damaged" in out
    assert "treemill index --rebuild" in out


def test_an_index_goes_from_a_database_to_a_folder_and_into_another_database(
    tree, store, capsys, tmp_path, postgres_server
):
    here, there, elsewhere, file = tree(TREE), tree(TREE), tree(TREE), str(tmp_path / "app.treemill")
    assert says(capsys, "export", file, str(here), "--store", store)[0] == 3
    assert says(capsys, "index", str(here), "--store", store)[0] == 0
    assert says(capsys, "export", file, str(here), "--store", store)[0] == 0
    assert says(capsys, "import", file, str(there), "--trust", "--no-cache")[0] == 0
    told = ["--store", postgres_server.new_database(), "--repository", "app"]
    code, out, _ = says(capsys, "import", file, str(elsewhere), "--trust", "--no-cache", "--json", *told)
    report = json.loads(out)
    assert (code, report["stats"]["files_processed"], "chunk" in report["stats"]["stages"]) == (0, 3, False)
    answers = [
        says(capsys, "search", "wait before the next attempt", str(root), "--json", "--no-update", *kept)[1]
        for root, kept in ((here, ("--store", store)), (there, ()), (elsewhere, told))
    ]
    places = [[(hit["file_path"], hit["score"]) for hit in json.loads(each)["results"]] for each in answers]
    assert places[0] == places[1] == places[2]
    assert places[0]
    assert not (elsewhere / ".treemill").exists()


def test_an_export_of_another_version_or_recipe_changes_nothing_in_a_database(tree, store, capsys, tmp_path):
    here, there, file = tree(TREE), tree(TREE), tmp_path / "app.treemill"
    told = ["--store", store]
    assert says(capsys, "index", str(here), *told)[0] == 0
    assert says(capsys, "export", str(file), str(here), *told)[0] == 0
    data = file.read_bytes()
    for wrong, with_, message in (
        (b'"version": 1', b'"version": 7', "export of version 7"),
        (b'"words": "', b'"words": "n', "the settings ask for"),
    ):
        changed = data.replace(wrong, with_, 1)
        length = int.from_bytes(data[16:20], "little") + len(changed) - len(data)
        file.write_bytes(changed[:16] + length.to_bytes(4, "little") + changed[20:])
        code, _, said = says(capsys, "import", str(file), str(there), *told)
        assert code == 4, said
        assert message in said
        assert says(capsys, "status", str(there), *told)[0] == 3


def test_a_fleet_in_a_database_is_published(tree, store, capsys, tmp_path):
    root = tree({"app/retry.py": TREE["app/retry.py"], "team.txt": "app\n"})
    place = (tmp_path / "published").as_uri()
    fleet = ["fleet", str(root / "team.txt"), "--store", store, "--publish", place, "--executor", "inline"]
    assert says(capsys, *fleet)[0] == 0
    there = tree({"retry.py": TREE["app/retry.py"]})
    assert says(capsys, "import", f"{place}/app", str(there), "--no-cache")[0] == 0
    assert says(capsys, "search", "backoff", str(there), "-lk1", "--no-update")[1] == "retry.py\n"
    code, _, said = says(capsys, *fleet[:-3], str(tmp_path / "here"), "--cluster", "127.0.0.1:1")
    assert (code, "s3://" in said) == (2, True), said


def test_the_store_comes_from_the_environment_and_the_password_from_its_own_variable_but_not_from_the_tree(
    tree, store, capsys, monkeypatch, postgres_server
):
    root = tree({**TREE, "treemill.toml": f'[storage]\nurl = "{store}"\n'})
    code, _, said = says(capsys, "index", str(root))
    assert code == 0
    assert "storage.url is not taken from treemill.toml" in said
    assert (root / ".treemill").is_dir()
    monkeypatch.setenv("TREEMILL_STORE", store.replace(f":{postgres_server.password}@", "@"))
    monkeypatch.setenv("PGPASSWORD", postgres_server.password)
    assert says(capsys, "status", str(root), "--repository", "app")[0] == 3
    assert says(capsys, "index", str(root), "--repository", "app")[0] == 0
    code, out, _ = says(capsys, "status", str(root), "--repository", "app", "--json")
    assert (code, json.loads(out)["index"].startswith("postgresql://postgres@127.0.0.1")) == (0, True)
    out = says(capsys, "config", str(root))[1]
    assert "TREEMILL_STORE" in out
    assert "127.0.0.1" not in out


def test_what_is_wrong_with_the_server_is_said_before_any_work_with_the_next_step(tree, store, capsys, postgres_server):
    root = tree(TREE)
    server, database = postgres_server, store.rpartition("/")[2]
    bare = server.new_database()
    server.execute(f"ALTER DATABASE {bare.rpartition('/')[2]} SET extension_control_path = '/nowhere'")
    server.execute(f"CREATE USER weak_{database} PASSWORD 'weak'", f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    server.execute(f"GRANT CONNECT ON DATABASE {database} TO weak_{database}")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"postgresql://postgres@127.0.0.1:{closed.getsockname()[1]}/postgres"
        cases = [
            (nobody, 6, "cannot be reached", "Check host and port"),
            (server.url(password="wr0ng"), 6, "does not let this user in", "PGPASSWORD"),
            (server.url(user="nobody-here"), 6, "does not let this user in", "PGPASSWORD"),
            (server.url("no_such_base"), 6, "has no such database", "createdb"),
            (bare, 6, "has no pgvector", "Install it on the server"),
            (server.url(database, user=f"weak_{database}", password="weak"), 6, "may not make tables", "GRANT CREATE"),
            ("mysql://somewhere/else", 2, "no store that Treemill knows", "postgresql://"),
            ("postgresql://u:pa@ss@host/db", 2, "cannot be read", "%40"),
        ]
        for url, wanted, what, step in cases:
            code, out, said = says(capsys, "index", str(root), "--store", url)
            assert (code, out) == (wanted, ""), said
            assert what in said
            assert step in said
            assert server.password not in said
            assert "wr0ng" not in said
    assert not (root / ".treemill").exists()
    code, _, said = says(capsys, "index", str(root), "--store", store)
    server.execute("INSERT INTO treemill.migrations (number) VALUES (99)", database=database)
    code, _, said = says(capsys, "search", "attempt", str(root), "--store", store)
    assert (code, "pip install -U" in said) == (4, True)
