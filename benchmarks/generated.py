"""Corpora made from rules: one as large as a monorepo, one of everything that breaks chunkers."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

MONOREPO_FILES = 100_000

_WORD = re.compile(rb"\b[a-zA-Z_]{6,}\b")


def monorepo(root: Path, files: list[Path], base: Path) -> None:
    """Fill `root` with at least 100,000 files: whole copies of `files` (all below `base`), each with other names in it.

    Copy k gives about every eighth longer word of a file the ending `_k`, so that no two copies hold equal files and
    the words of a monorepo's many teams differ, while syntax and sizes stay close to the real ones. Files that are
    not UTF-8 are copied as they are.
    """
    made = 0
    copy = 0
    while made < MONOREPO_FILES:
        copy += 1
        for path in files:
            target = root / f"team{copy}" / path.relative_to(base)
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy_with_changes(path, target, copy)
        made += len(files)


def _copy_with_changes(path: Path, target: Path, copy: int) -> None:
    data = path.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        shutil.copyfile(path, target)
        return
    ending = f"_{copy}".encode()
    target.write_bytes(_WORD.sub(lambda word: word[0] + ending if sum(word[0]) % 8 == 0 else word[0], data))


def pathological(root: Path) -> None:
    """Fill `root` with the inputs that chunkers die of, one a file, and one ordinary file in their midst."""
    noise = random.Random(0)
    statements = "".join(f"var a{i}=function(b,c){{return b[{i}]+c({i})||'x{i}'}};" for i in range(120_000))
    cases: dict[str, bytes] = {
        "one_line.js": statements[:5_000_000].encode(),
        "long_string.py": b"TABLE = '" + b"abcdefghij" * 20_000 + b"'\n",
        "deep.json": b"[" * 100_000 + b"]" * 100_000,
        "deep.py": b"x = " + b"(" * 100_000 + b"1" + b")" * 100_000 + b"\n",
        "deep.c": b"int f(void) {" + b"{" * 100_000 + b"}" * 100_000 + b"}\n",
        "dump.sql": _dump(50_000_000),
        "random.py": noise.randbytes(1_000_000),
        "random_text.py": bytes(noise.choices(range(32, 127), k=1_000_000)),
        "utf16.py": ("﻿" + "def grüße(name):\n    return f'hallo {name}'\n\n" * 20_000).encode("utf-16-le"),
        "latin1.c": "/* \xe9\xe8\xfc */ int f(void) { return 1; }\n".encode("latin-1") * 20_000,
        "one_line.txt": b"word " * 1_000_000,
        "no_newline_at_all.css": b"a{b:c}" * 300_000,
        "carriage_returns.py": b"def f():\r    return 1\r" * 20_000,
        "blank_lines.py": b"\n" * 2_000_000,
        "whitespace.py": b" " * 2_000_000,
        "empty.py": b"",
        "nul_in_the_middle.c": b"int a;\n" * 1000 + b"\0" + b"int b;\n" * 1000,
        "brackets_that_never_close.js": b"f(" * 200_000,
        "else_if.c": b"void f(int x) {" + b"if (x) {} else " * 50_000 + b"{} }\n",
        "plus.py": b"x = " + b"1 + " * 100_000 + b"1\n",
        "ordinary.py": b'def ordinary():\n    """Reported, whatever stands beside it."""\n    return 1\n',
    }
    for name, content in cases.items():
        (root / name).write_bytes(content)


def _dump(size: int) -> bytes:
    rows: list[bytes] = [b"CREATE TABLE events (id integer, name text, note text);\n"]
    total = 0
    for i in range(size):
        if total >= size:
            break
        values = ", ".join(f"({i * 20 + j}, 'name {j}', 'it''s row {i}, and a note; with -- marks')" for j in range(20))
        rows.append(f"INSERT INTO events (id, name, note) VALUES {values};\n".encode())
        total += len(rows[-1])
    return b"".join(rows)
