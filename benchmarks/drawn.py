"""Questions whose answer is known because they are drawn from it: by a seed, from what an index or its tree holds.

    names            a definition that alone has its name            → the line of the name
    qualified names  `Parent.name` that one definition alone has     → the line of the name
    paths            the end of a file's path, sometimes with a line → the file, and the line
    messages         a message of an error as a user sees it: the    → the line that holds it
                     source's text with values in its placeholders
    patterns         a line's code as a regular expression           → the line

None of them is a question that anything was tuned on.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from treemill.chunking.definitions import unpack_symbols
from treemill.searching.hits import source_of
from treemill.storage import IndexStore
from treemill.types import Symbol

_ASKED_KINDS = frozenset(
    ("function", "method", "class", "struct", "interface", "trait", "enum", "type", "object", "macro", "protocol")
)
_SEPARATORS = {"rust": "::", "cpp": "::", "ruby": "#", "php": "::"}

# A quoted text of several words on a line that has to do with errors.
_ERROR_LINE = re.compile(r"error|raise|throw|panic|fatal|abort|fail|warn|exception|invalid|assert", re.IGNORECASE)
_QUOTED = re.compile(r"\"([^\"\\\n]{16,120})\"|'([^'\\\n]{16,120})'|`([^`\\\n]{16,120})`")
_HOLE = re.compile(r"#\{[^}]*\}|\$\{[^}]*\}|\{[^}]*\}|%[-+0-9.*]*[a-zA-Z]|\$\w+|<[^>]+>")
_VALUES = ("users.csv", "42", "None", "request_id", "127.0.0.1", "'title'", "/tmp/x", "3.7")
_FEWEST_WORDS = 4


@dataclass(frozen=True, slots=True)
class Drawn:
    """A question and the lines of a file, each of which answers it; none where the file itself is the answer."""

    text: str
    path: str
    lines: tuple[int, ...]
    mode: str = "ask"

    def answered(self, path: str, first: int, last: int) -> bool:
        """Tell whether a result answers."""
        return path == self.path and (not self.lines or any(first <= line <= last for line in self.lines))


def names(store: IndexStore, seed: str, most: int) -> list[Drawn]:
    """Return names that one definition alone has."""
    found = list(_definitions(store))
    times = Counter(symbol.name for _, _, symbol in found)
    alone = [
        Drawn(symbol.name, path, (symbol.line,), "symbol")
        for path, _, symbol in found
        if times[symbol.name] == 1 and symbol.kind in _ASKED_KINDS
    ]
    return _drawn(alone, seed, most)


def qualified_names(store: IndexStore, seed: str, most: int) -> list[Drawn]:
    """Return names that several definitions have, qualified by a parent that tells them apart, as they are written."""
    found = [(path, language, each) for path, language, each in _definitions(store) if each.kind in _ASKED_KINDS]
    bare = Counter(each.name for _, _, each in found)
    whole = Counter((each.parents[-1], each.name) for _, _, each in found if each.parents)
    alone = [
        Drawn(f"{each.parents[-1]}{_SEPARATORS.get(language or '', '.')}{each.name}", path, (each.line,))
        for path, language, each in found
        if each.parents and bare[each.name] > 1 and whole[each.parents[-1], each.name] == 1
    ]
    return _drawn(alone, seed, most)


def paths(store: IndexStore, seed: str, most: int) -> list[Drawn]:
    """Return ends of paths that one file alone has: of one to three parts, every second one with a line."""
    with store.snapshot() as snapshot:
        files = list(snapshot.files().paths)
    chance = random.Random(seed)
    ends = Counter(end for path in files for end in _ends(path))
    drawn = []
    for number, path in enumerate(chance.sample(files, min(most, len(files)))):
        alone = [end for end in _ends(path) if ends[end] == 1 and "." in end]
        if alone:
            drawn.append(Drawn(chance.choice(alone) + (":1" if number % 2 else ""), path, ()))
    return drawn


def messages(store: IndexStore, seed: str, most: int) -> list[Drawn]:
    """Return messages as users see them, from lines that raise, throw, log or print them."""
    chance = random.Random(seed)
    found = []
    for path, text in _texts(store):
        if re.search(r"(^|/)(tests?|specs?|docs?|examples?)(/|$)|\.(md|rst|txt|json|ya?ml|html)$|test", path.lower()):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            quoted = _QUOTED.search(line) if _ERROR_LINE.search(line) else None
            if quoted is not None:
                words = _HOLE.sub(lambda _: chance.choice(_VALUES), next(filter(None, quoted.groups()))).strip()
                if len(re.findall(r"[A-Za-z]{2,}", words)) >= _FEWEST_WORDS and " " in words:
                    found.append(Drawn(words, path, (number,)))
    times = Counter(each.text for each in found)
    return _drawn([each for each in found if times[each.text] == 1], seed, most)


def patterns(store: IndexStore, seed: str, most: int) -> list[Drawn]:
    """Return lines as regular expressions, words with anything between them, one of which is in no other line."""
    lines = [
        (path, number, re.findall(r"\b[A-Za-z_]\w{3,}", line))
        for path, text in _texts(store)
        for number, line in enumerate(text.split("\n"), 1)
    ]
    times = Counter(word for _, _, words in lines for word in set(words))
    found = [
        Drawn(r"\b" + r"\b.*\b".join(words) + r"\b", path, (number,))
        for path, number, words in lines
        if 2 <= len(words) <= 4 and min(times[word] for word in words) == 1
    ]
    return _drawn(found, seed, most)


KINDS = {
    "names": names,
    "qualified names": qualified_names,
    "paths": paths,
    "messages": messages,
    "patterns": patterns,
}


def _drawn(found: list[Drawn], seed: str, most: int) -> list[Drawn]:
    return random.Random(seed).sample(found, min(most, len(found)))


def _ends(path: str) -> Iterator[str]:
    parts = path.split("/")
    yield from ("/".join(parts[-count:]) for count in range(1, min(3, len(parts)) + 1))


def _definitions(store: IndexStore) -> Iterator[tuple[str, str | None, Symbol]]:
    with store.snapshot() as snapshot:
        files = snapshot.files()
        for path, content, language in zip(files.paths, files.contents.tolist(), files.languages, strict=True):
            for symbol in unpack_symbols(snapshot.content(content).symbols):
                yield path, language, symbol


def _texts(store: IndexStore) -> Iterator[tuple[str, str]]:
    with store.snapshot() as snapshot:
        files = snapshot.files()
        for path, content in zip(files.paths, files.contents.tolist(), strict=True):
            yield path, source_of(snapshot.content(content)).text()
