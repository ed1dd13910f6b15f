"""What the store on PostgreSQL owes beyond the contract: isolation, fencing, migrations, segments, vectors for SQL."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from support.contents import DIMENSION, RECIPE, VECTORS, expected, prepared, shown
from support.postgres_server import PostgresServer, needs_postgres
from treemill.errors import IndexLocked, IndexMismatch, IndexMissing, SettingsError, StorageError
from treemill.records import PreparedFile, Recipe, RunState
from treemill.siblings import cache_folder
from treemill.storage.garbage import GarbageLimits

pytestmark = needs_postgres

COLLECT_AT_ONCE = GarbageLimits(days=0, share=0, floor_bytes=0)


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer) -> str:
    return postgres_server.new_database()


@pytest.fixture
def module() -> Any:
    return import_module("treemill.storage.postgres.store")


@pytest.fixture
def store(module: Any, url: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    with module.PostgresStore(url, request.node.name, create=True, garbage=COLLECT_AT_ONCE) as store:
        yield store


def put(store: Any, *files: PreparedFile, recipe: Recipe = RECIPE) -> None:
    with store.writer() as writer:
        writer.begin_run(recipe)
        assert not writer.put(files)
        writer.end_run(RunState.COMPLETE)


def many(count: int, *, dimension: int = 0) -> list[PreparedFile]:
    return [prepared(f"{n}.py", f"word{n}\nshared\n", dimension=dimension) for n in range(count)]


def rows(store: Any, statement: str) -> list[Any]:
    with store._repository() as (connection, repository):
        return list(connection.execute(statement.format(id=repository.id).encode()).fetchall())


def test_repositories_of_one_database_see_nothing_of_each_other_and_are_written_at_the_same_time(module, url, store):
    with module.PostgresStore(url, "another", create=True) as other, store.writer() as one, other.writer() as two:
        for writer, text in ((one, "mine\n"), (two, "yours\n")):
            writer.begin_run(RECIPE)
            writer.put([prepared("a.py", text)])
        one.end_run(RunState.COMPLETE)
        two.end_run(RunState.COMPLETE)
        with store.snapshot() as mine, other.snapshot() as yours:
            assert (shown(mine), shown(yours)) == ({"a.py": expected("mine\n")}, {"a.py": expected("yours\n")})
        two.close()
        module.remove(url, "another")
        with pytest.raises(IndexMissing, match="treemill index"):
            other.generation()
    with store.snapshot() as mine:
        assert shown(mine) == {"a.py": expected("mine\n")}


def test_a_writer_that_has_lost_its_lease_commits_nothing(store):
    put(store, prepared("a.py", "before\n"))
    with store.writer() as lost:
        lost.begin_run(RECIPE)
        # As a pooler does that gives the session to somebody else.
        lost._connection.execute("SELECT pg_advisory_unlock_all()")
        put(store, prepared("b.py", "of the next one\n"))
        with pytest.raises(StorageError, match="taken over"):
            lost.put([prepared("a.py", "of the lost one\n")])
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"a.py": expected("before\n"), "b.py": expected("of the next one\n")}


def test_a_writer_that_loses_its_lease_in_the_middle_of_a_commit_commits_nothing(store):
    put(store, prepared("a.py", "before\n"))
    with store.writer() as lost:
        lost.begin_run(RECIPE)
        lost.put([prepared("a.py", "of the lost one\n")])
        lost._connection.execute("SELECT pg_advisory_unlock_all()")
        with store.writer() as next_one:
            with pytest.raises(StorageError, match="taken over"):
                lost.commit()
            next_one.begin_run(RECIPE)
    with store.snapshot() as snapshot:
        assert shown(snapshot) == {"a.py": expected("before\n")}


def test_a_lease_ends_with_the_connection_that_holds_it(module, url, store, postgres_server):
    writer = store.writer()
    with pytest.raises(IndexLocked), module.PostgresStore(url, store.name) as other:
        other.writer()
    backend = writer._connection.info.backend_pid
    postgres_server.execute(f"SELECT pg_terminate_backend({backend})")
    with store.writer(wait_seconds=30):
        pass
    writer.close()


def test_a_snapshot_goes_on_when_the_server_ends_its_connection_and_nothing_was_committed_since(store, postgres_server):
    put(store, prepared("a.py", "one\n"))
    with store.snapshot() as snapshot:
        backend = snapshot._connection.info.backend_pid
        postgres_server.execute(f"SELECT pg_terminate_backend({backend}, 10000)")
        assert shown(snapshot) == {"a.py": expected("one\n")}
        put(store, prepared("a.py", "two\n"))
        backend = snapshot._connection.info.backend_pid
        postgres_server.execute(f"SELECT pg_terminate_backend({backend}, 10000)")
        with pytest.raises(StorageError, match="Ask again"):
            snapshot.file("a.py")


def test_segments_are_laid_out_once_and_what_is_damaged_or_gone_is_laid_out_again(store):
    put(store, *many(150))
    wanted = {file.path: expected(f"word{n}\nshared\n") for n, file in enumerate(many(150))}
    (folder,) = [each for each in (cache_folder() / "postgres").iterdir() if each.is_dir()]
    (segment,) = folder.glob("*.segment")
    with store.snapshot() as snapshot:
        assert shown(snapshot) == wanted
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    for _ in range(2):
        with store.snapshot() as snapshot:
            assert shown(snapshot) == wanted
    for path in folder.iterdir():
        path.unlink()
    with store.snapshot() as snapshot:
        assert shown(snapshot) == wanted
    assert len(list(folder.glob("*.segment"))) == 1


def test_a_moment_from_before_a_deletion_does_without_segments_that_came_after_it(store):
    put(store, *many(150))
    with store.snapshot() as before:
        put(store, *(prepared(f"{n}.py", f"new{n}\n") for n in range(150)))
        with store.snapshot() as after:
            assert shown(after) == {f"{n}.py": expected(f"new{n}\n") for n in range(150)}
        for folder in (cache_folder() / "postgres").iterdir():
            (folder / "catalogue.json").unlink()
        with store.snapshot() as after:
            after.segments()
        assert shown(before) == {f"{n}.py": expected(f"word{n}\nshared\n") for n in range(150)}


def test_vectors_can_be_asked_for_in_sql_and_have_an_index_once_there_are_many(store):
    put(store, *many(400, dimension=DIMENSION), recipe=VECTORS)
    assert rows(store, "SELECT to_regclass('treemill.vectors_{id}_hnsw')") == [(None,)]
    put(store, *(prepared(f"new/{n}.py", f"more{n}\nx\n", dimension=DIMENSION) for n in range(200)), recipe=VECTORS)
    assert rows(store, "SELECT to_regclass('treemill.vectors_{id}_hnsw')") != [(None,)]
    nearest = "SELECT chunk, embedding::text FROM treemill.vectors_{id} ORDER BY embedding <=> '[6,0,0,0]' LIMIT 1"
    ((chunk, vector),) = rows(store, nearest)
    assert (chunk, np.array(vector.strip("[]").split(","), float)[1]) == (0, 0.0)
    with store.writer() as writer:
        writer.begin_run(VECTORS)
        writer.remove([f"{n}.py" for n in range(400)])
        writer.end_run(RunState.COMPLETE)
    assert rows(store, "SELECT count(*) FROM treemill.vectors_{id}") == [(400,)]


def test_tables_of_a_newer_treemill_are_left_alone_and_older_ones_are_brought_up_to_date(module, postgres_server):
    fresh = postgres_server.new_database()
    database = fresh.rpartition("/")[2]
    with pytest.raises(IndexMissing, match="treemill index"):
        module.PostgresStore(fresh, "root")
    module.PostgresStore(fresh, "root", create=True).close()
    postgres_server.execute("INSERT INTO treemill.migrations (number) VALUES (99)", database=database)
    for create in (False, True):
        with pytest.raises(IndexMismatch, match="Upgrade"):
            module.PostgresStore(fresh, "root", create=create)
    postgres_server.execute("DROP SCHEMA treemill CASCADE", database=database)
    postgres_server.execute(
        "CREATE SCHEMA treemill",
        "CREATE TABLE treemill.migrations (number int PRIMARY KEY, applied_at timestamptz DEFAULT now())",
        database=database,
    )
    with pytest.raises(IndexMismatch, match="brings them up to date"):
        module.PostgresStore(fresh, "root")
    with module.PostgresStore(fresh, "root", create=True) as store:
        put(store, prepared("a.py", "one\n"))


def test_no_text_of_a_store_shows_its_password(module, url, store, postgres_server):
    secret = postgres_server.password
    put(store)
    with store.writer() as writer, store.snapshot() as snapshot:
        shown_texts = [repr(each) for each in (store, store.address, store.lookup(), writer, snapshot)]
    texts = [*shown_texts, str(store.address)]
    for special in ("", "%2F", "/", "@", "?", "#", "%", ":", "[", " ", ",", "=", "&password="):
        with pytest.raises((StorageError, SettingsError)) as refused:
            module.PostgresStore(postgres_server.url(password=f"wr0ng{special}{secret}"), "root")
        texts += [str(refused.value), repr(refused.value.__cause__)]
    assert not [text for text in texts if secret in text or "wr0ng" in text]
