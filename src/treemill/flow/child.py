"""A worker process from the inside: read a batch, do the work, answer; die with the parent.

It is started as a fresh interpreter with pipes, not by `multiprocessing`: the host's start method and `__main__` play
no part, so a script without a `__main__` guard, a notebook and a thread all work alike.
"""

from __future__ import annotations

import gc
import mmap
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from treemill.flow import wire
from treemill.flow.resident import resident_bytes

# Results are plain buffers: there are hardly any cycles to find, and each search for them visits every live node.
_COLLECT_AFTER = 50_000

# How long after its deadline a worker that nobody kills ends by itself: the parent must be gone or stopped.
_GRACE_SECONDS = 5.0


def main() -> None:
    """Serve the parent at the other end of standard input and output until it goes away."""
    requests, replies = _take_over_pipes()
    cell = _map_cell(Path(sys.argv[1]))
    try:
        if sys.argv[3]:
            import_module(sys.argv[3])
        work, seconds = wire.receive(requests)
        handle = work.start()
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent is told
        wire.send(replies, ("failed", f"{type(error).__name__}: {error}", traceback.format_exc()))
        return
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    wire.send(replies, ("ready", *wire.GREETING))
    _serve(_read_ahead(requests), replies, handle, cell, seconds)


def _map_cell(file: Path) -> mmap.mmap:
    """Map the memory shared with the parent; its file is not needed by anybody after that."""
    with file.open("r+b") as opened:
        cell = mmap.mmap(opened.fileno(), wire.MARKS.size)
    try:
        file.unlink()
    except OSError:
        pass  # Windows keeps a mapped file; the parent removes it
    return cell


def _take_over_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Keep the pipes for messages; whatever the work reads or prints goes nowhere and to standard error."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return requests, replies


def _read_ahead(requests: IO[bytes]) -> queue.SimpleQueue[Any]:
    """Read requests in a thread, so that the parent can always send; end the process when the parent is gone."""
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def read() -> None:
        while True:
            try:
                waiting.put(wire.receive(requests))
            except EOFError:
                os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return waiting


def _serve(
    waiting: queue.SimpleQueue[Any],
    replies: IO[bytes],
    handle: Callable[[Sequence[Any], Callable[[int], None]], Any],
    cell: mmap.mmap,
    seconds: float | None,
) -> None:
    write, clock = wire.MARKS.pack_into, time.monotonic
    arm = signal.setitimer if seconds is not None and hasattr(signal, "setitimer") else None
    last_resort = (seconds or 0.0) + _GRACE_SECONDS
    while True:
        number, items = waiting.get()
        resident = resident_bytes()
        in_hand = -1

        def mark(index: int, number: int = number, resident: int = resident) -> None:
            nonlocal in_hand
            in_hand = index
            write(cell, 0, clock(), resident, number, index)
            if arm is not None:
                # The kernel ends the process even while a parser holds the interpreter.
                arm(signal.ITIMER_REAL, last_resort if index >= 0 else 0.0)

        started = clock()
        try:
            value = handle(items, mark)
            reply: tuple[Any, ...] = ("done", value, started, clock() - started)
        except Exception as error:  # noqa: BLE001 - one item's trouble is told and the worker goes on
            reply = ("raised", in_hand, type(error).__name__, str(error), traceback.format_exc())
        mark(-1)
        wire.send(replies, reply)
