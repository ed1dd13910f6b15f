"""Small words for people: what may be shown, numbers, sizes, times."""

from __future__ import annotations

import time


def printable(text: str) -> str:
    """Return text that cannot steer a terminal: control characters other than newline and tab are made visible."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _visible(c) for c in text)


def on_one_line(text: str) -> str:
    """Return a name as `printable` does, with line feeds and tabs made visible too: it stays within its line."""
    return printable(text).replace("\n", _visible("\n")).replace("\t", _visible("\t"))


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return "\ufffd"


def count(number: int, thing: str) -> str:
    """Return "1 file", "2,345 files"."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def size(number: float) -> str:
    """Return bytes as people write them: "17 B", "3.2 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError("unreachable")


def seconds(number: float) -> str:
    """Return a duration: "0.4 s", "12 s", "3 min 20 s"."""
    if number < 10:
        return f"{number:.1f} s"
    if number < 120:
        return f"{number:.0f} s"
    return f"{number // 60:.0f} min {number % 60:.0f} s"


def ago(wall_ns: int) -> str:
    """Return how long ago a moment was."""
    return f"{seconds(max(0.0, (time.time_ns() - wall_ns) / 1e9))} ago" if wall_ns else "never"
