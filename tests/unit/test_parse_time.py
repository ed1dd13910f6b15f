"""How long a parse may take is a matter of the text, not of what else the machine does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from treemill.chunking.syntax import parse
from treemill.errors import ChunkingTimeoutError

TEXT = b"def work(a, b):\n    return [a, {b: (a, b)}]\n" * 400


@contextmanager
def crowd(size: int) -> Iterator[None]:
    """Have threads beside this one that want the interpreter all the time."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            sum(range(1_000))

    threads = [threading.Thread(target=work) for _ in range(size)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def processor_seconds() -> float:
    """Parse the text and return the processor time that took."""
    before = time.thread_time()
    parse(TEXT, "python", 60)
    return time.thread_time() - before


def test_a_parse_that_hardly_gets_the_processor_is_not_overdue() -> None:
    processor_seconds()
    allowed = 8 * processor_seconds()
    with crowd(6):
        assert not parse(TEXT, "python", allowed).root_node.has_error


def test_a_parse_that_uses_up_its_time_is_stopped() -> None:
    processor_seconds()
    with pytest.raises(ChunkingTimeoutError, match="processor time"):
        parse(TEXT, "python", processor_seconds() / 8)
