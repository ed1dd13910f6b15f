"""Whatever is asked: an answer or a clear error, within a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from treemill.errors import UsageError
from treemill.indexing import index_tree
from treemill.records import Query
from treemill.searching import Answer, Index
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.memory import MemoryStore

SECOND = 1.0

FILES = {
    **{f"src/part{n}.py": f"def work_{n}(cart, items):\n    return cart + {n}\n" * 40 for n in range(60)},
    "aaaa.txt": "a" * 200_000 + "\n",
    "語.py": "def 合計(値):\n    return 値  # 合計を計算する\n",
    "empty.py": "",
}


@pytest.fixture(scope="module")
def handle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Give a handle on an index of a hundred files."""
    root: Path = tmp_path_factory.mktemp("hostile")
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    store = MemoryStore()
    inline = ConcurrencySettings(executor="inline")
    index_tree(root, store, Settings(chunker=ChunkerSettings(concurrency=inline)))
    with Index(store) as opened:
        opened.search("warm")
        yield opened


def asked(handle: Index, text: str, **fields: Any) -> Answer | None:
    """Ask and return the answer, None where the question is refused; fail if it takes too long."""
    started = time.process_time()
    try:
        answer: Answer | None = handle.ask(Query(text, **fields))
    except UsageError:
        answer = None
    assert time.process_time() - started < SECOND
    return answer


QUESTIONS = {
    "empty": "",
    "blank": " \t\n ",
    "punctuation": "?!()[]{}<>*&^%$#@~`|\\/;:'\",.-+=",
    "one megabyte of a word": "cart " * 200_000,
    "one megabyte without a blank": "x" * 1_000_000,
    "one megabyte of different words": " ".join(f"word{n}" for n in range(100_000)),
    "control characters": "\x00\x01\x1b[31mcart\x7f\u202e",
    "lone surrogates": "\ud800 cart \udfff",
    "query language": 'cart AND (items OR NOT "x*") path:src/ NEAR/5 ^boost~2',
    "SQL": "'; DROP TABLE files; --",
    "dots": "." * 10_000,
    "qualifiers": "::".join("a" * 2_000),
    "qualifiers alone": "::.->#",
    "underscores": "_" * 5_000,
    "camel": "aB" * 50_000,
    "digits": "1" * 100_000,
    "combining marks": "a" + "\u0301" * 10_000,
    "right to left": "עגלה عربة",
    "emoji": "🛒 " * 1_000,
}


@pytest.mark.parametrize("mode", ["ask", "symbol", "related", "regex"])
@pytest.mark.parametrize("text", QUESTIONS.values(), ids=QUESTIONS)
def test_any_question_is_answered_or_refused_within_a_second(handle: Index, text: str, mode: str) -> None:
    answer = asked(handle, text, mode=mode)
    assert answer is None or answer.hits or answer.reason


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a|a)*b",
        "(a*)*c",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(.*)*x",
        "a{1000}b",
        "((a{100}){100}){100}",
        "(" * 5_000,
        "[" * 100,
        "(?=x)y",
        r"(a)\1",
        "a**",
        "",
        "\\",
        "x" * 1_000_000,
        "|" * 9_000,
        "(?:" * 900 + "a" + ")" * 900,
        r"\p{Greek}+",
        "^$",
        "$",
    ],
)
def test_no_pattern_hangs_a_search(handle: Index, pattern: str) -> None:
    answer = asked(handle, pattern, mode="regex")
    assert answer is None or answer.hits or answer.reason


@pytest.mark.parametrize(
    "fields",
    [
        {"limit": 10**12},
        {"limit": 0},
        {"limit": -5},
        {"offset": 10**12},
        {"offset": -3},
        {"per_file": 10**12},
        {"per_file": 0},
        {"context": 10**12},
        {"context": -4},
        {"max_tokens": 0},
        {"max_tokens": -1},
        {"include": ("*" * 200 + "x",)},
        {"include": ("[" * 500,)},
        {"include": ("**/" * 200,)},
        {"include": ("",)},
        {"exclude": ("\x00",)},
        {"languages": ("no such language",)},
        {"under": "../../etc"},
        {"include": tuple(f"*{n}" for n in range(2_000))},
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["ask", "regex"])
def test_absurd_limits_and_globs_are_taken_or_refused(handle: Index, fields: dict[str, Any], mode: str) -> None:
    answer = asked(handle, "cart", mode=mode, **fields)
    assert answer is None or answer.hits or answer.reason


def test_other_scripts_are_found(handle: Index) -> None:
    answer = asked(handle, "合計")
    assert answer is not None
    assert [hit.path for hit in answer.hits] == ["語.py"]
