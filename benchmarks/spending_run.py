"""One cold index whose processor time is told by part: what `benchmarks.spending` runs, with nothing else loaded."""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
import threading
import time
from collections import Counter
from importlib import import_module
from typing import Any

# What is timed: a name for the reader → module, and the function in it. What one does inside another is its own.
PARTS: dict[str, tuple[str, str]] = {
    "walk and plan": ("treemill.flow.ahead", "Ahead._read"),
    "send batches": ("treemill.flow.wire", "send"),
    "receive results": ("treemill.flow.wire", "receive"),
    "rows into the transaction": ("treemill.storage.sqlite_writer", "SqliteWriter.put"),
    "commits": ("treemill.storage.sqlite_writer", "SqliteWriter.commit"),
    "content cache": ("treemill.storage.content_cache", "ContentCache.keep"),
    "last layout and end": ("treemill.storage.sqlite_writer", "SqliteWriter.end_run"),
    "words of the layout": ("treemill.flow.aside", "Aside._run"),
    "limits of workers": ("treemill.flow.processes", "ProcessCrew.watch"),
    "known files": ("treemill.processing.recognising", "recognise"),
}
LOADING, REST, WORKERS, SIZE = "loading", "everything else", "workers, all", "MB"

# The command loads its modules when it is known which it is; they are timed from then on.
_COMMAND = "treemill.cli.index"


def spent(root: str, workers: str) -> None:
    """Run the command line over a tree in this process, and print ms of processor time a MB by part, as JSON."""
    times: Counter[str] = Counter()
    inside = threading.local()
    cli = import_module("treemill.cli")
    load = cli.import_module

    def loaded(name: str) -> Any:
        module = load(name)
        if name == _COMMAND and LOADING not in times:
            times[LOADING] = time.process_time()
            for part, (where, path) in PARTS.items():
                _timed(times, inside, part, where, path)
        return module

    cli.import_module = loaded
    with contextlib.redirect_stdout(io.StringIO()) as said:
        cli.run(["index", root, "--json", "--workers", workers])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    times[REST] = time.process_time() - sum(times[part] for part in (LOADING, *PARTS))
    times[WORKERS] = used.ru_utime + used.ru_stime
    megabytes = json.loads(said.getvalue())["stats"]["total_size"] / 1e6
    print(json.dumps({part: seconds * 1e3 / megabytes for part, seconds in times.items()} | {SIZE: megabytes}))


def _timed(times: Counter[str], inside: threading.local, part: str, where: str, path: str) -> None:
    """Have a function add the processor time that its thread spends in it, and not in another part."""
    owner: Any = import_module(where)
    *outer, name = path.split(".")
    for each in outer:
        owner = getattr(owner, each)
    inner = getattr(owner, name)

    def timed(*arguments: Any, **options: Any) -> Any:
        outside, inside.others = getattr(inside, "others", 0.0), 0.0
        began = time.thread_time()
        try:
            return inner(*arguments, **options)
        finally:
            whole = time.thread_time() - began
            times[part] += whole - inside.others
            inside.others = outside + whole

    setattr(owner, name, timed)


if __name__ == "__main__":
    spent(sys.argv[1], sys.argv[2])
