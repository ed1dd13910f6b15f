"""The compiled half of semantic chunking gives what the half in Python gives: ends, symbols and errors."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treemill.chunking import definitions, semantic, syntax, trees
from treemill.chunking.governor import ChunkGovernor
from treemill.chunking.sizes import size_in
from treemill.chunking.tree_memory import TreeMemory
from treemill.errors import ChunkingError, ChunkingTimeoutError
from treemill.languages import LANGUAGES, language_of_name
from treemill.native import compiled
from treemill.settings import ChunkerSettings, PerformanceSettings
from treemill.types import Symbol

SAMPLES = {
    language_of_name(path.name): path.read_bytes()
    for path in sorted((Path(__file__).parents[1] / "golden" / "chunks").iterdir())
    if path.suffix != ".golden"
}
GRAMMARS = sorted(each.name for each in LANGUAGES.values() if each.grammar)
LIMITS = st.sampled_from((16, 60, 200, 800))
DEFAULTS = PerformanceSettings()

Cut = tuple[tuple[int, ...], tuple[Symbol, ...]]

pytestmark = pytest.mark.skipif(compiled("trees") is None, reason="this installation has no compiled halves")


def in_python(text: bytes, language: str, limit: int, performance: PerformanceSettings) -> Cut:
    memory = TreeMemory(len(text), performance.max_memory_mb_per_operation)
    root = syntax.parse(text, language, performance.parse_timeout_seconds, memory).root_node
    ends = semantic.cut(text, root, language, limit, performance.max_ast_depth, memory)
    return tuple(ends), definitions.symbols(text, root, language)


def in_c(text: bytes, language: str, limit: int, performance: PerformanceSettings) -> Cut:
    done = trees.cut(text, language, limit, performance)
    assert done is not None, "the compiled half does not know this grammar"
    return done


def outcome(cut: Callable[..., Cut], *arguments: object) -> Cut | tuple[type[ChunkingError], str]:
    try:
        return cut(*arguments)
    except ChunkingError as error:
        return type(error), str(error)


def assert_alike(text: bytes, language: str, limit: int, performance: PerformanceSettings = DEFAULTS) -> None:
    assert outcome(in_c, text, language, limit, performance) == outcome(in_python, text, language, limit, performance)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, str]:
    """A part of a sample in some places of which something is missing, doubled, or other bytes."""
    language = draw(st.sampled_from(sorted(name for name in SAMPLES if name)))
    text = SAMPLES[language]
    start = draw(st.integers(0, max(0, len(text) - 300)))
    text = text[start : start + draw(st.integers(1, 1500))]
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(text)))
        behind = at + draw(st.integers(0, 40))
        put = draw(
            st.sampled_from(
                (b"", text[at:behind] * 2, *(bytes((one,)) for one in b"(){}[]<>;:=,.\"'`\n\r\t @#\\/*\0\xff"))
            )
        )
        text = text[:at] + put + text[behind if put == b"" else at :]
    return text, language


@pytest.mark.parametrize("language", sorted(name for name in SAMPLES if name))
@pytest.mark.parametrize("limit", [60, 400, 1800])
def test_the_halves_cut_and_describe_a_sample_alike(language, limit):
    assert_alike(SAMPLES[language], language, limit)


@settings(max_examples=150, deadline=None)
@given(one=damaged(), limit=LIMITS)
def test_the_halves_cut_and_describe_a_damaged_sample_alike(one, limit):
    text, language = one
    assert_alike(text, language, limit)


@settings(max_examples=100, deadline=None)
@given(
    text=st.lists(
        st.sampled_from((*b"{}()[]<>;:=.,*#@\"'/\\ \n\r\t\0", *b"abcdef", 0xC3, 0xA9, 0xFF)), max_size=150
    ).map(bytes),
    language=st.sampled_from(GRAMMARS),
    limit=LIMITS,
)
def test_the_halves_cut_any_bytes_alike(text, language, limit):
    assert_alike(text, language, limit)


@settings(max_examples=100, deadline=None)
@given(one=damaged(), limits=st.sampled_from(({"max_chunk_characters": 50}, {"max_chunk_tokens": 30})))
def test_the_halves_cut_alike_where_sizes_are_in_characters_or_tokens(one, limits):
    text, language = one
    size = size_in(text, ChunkGovernor(settings=ChunkerSettings(**limits)))
    root = syntax.parse(text, language, 10).root_node
    ends = semantic.cut(text, root, language, size.least, DEFAULTS.max_ast_depth, None, size.reach)
    again = size_in(text, ChunkGovernor(settings=ChunkerSettings(**limits)))
    done = trees.cut(text, language, again.least, DEFAULTS, again.reach)
    assert done is not None
    assert done[0] == tuple(ends)


def test_what_a_reach_raises_comes_out_of_the_compiled_half():
    def reach(position: int) -> int:
        raise LookupError(f"nothing is known of {position}")

    with pytest.raises(LookupError, match="nothing is known of 0"):
        trees.cut(b"x = 1\n" * 20, "python", 16, DEFAULTS, reach)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "nested lists": (b"[" * 100_000, "python"),
    "nested objects": (b'{"a":' * 50_000, "json"),
    "nested blocks": (b"void f(){" + b"{" * 30_000 + b"}" * 30_000 + b"}", "c"),
    "nested classes": (b"class A{" * 2_000 + b"}" * 2_000, "java"),
    "nested functions": (b"x=>" * 3_000 + b"1", "javascript"),
    "deep yaml": (b"- " * 500 + b"a", "yaml"),
    "one long list": (b"[" + b"1," * 400_000 + b"1]", "json"),
    "one long line": (b"var a=function(b){return b+1};" * 8_000, "javascript"),
    "methods with types": (
        b"".join(b"a={\nf(): %b {},\ng(): {} {},\nh(x): |{},}\n" % (b"T" * n) for n in range(57, 64)),
        "typescript",
    ),
    "exports": (
        b"module.exports = function shop() {}\nexports = class Cart {}\nexports = module.exports = () => 1\n"
        b"module.exports = function () {}\nexports.a = function b() {}\nmodule.exportsx = function c() {}\n",
        "javascript",
    ),
    "a long literal": (b"x = '" + b"a" * 200_000 + b"'\n", "python"),
    "an unfinished head": (b"class A:\n  def f(self):", "python"),
    "bytes of no encoding": (bytes(range(256)) * 40, "cpp"),
    "carriage returns": (b"def a():\r    return 1\r\r" * 300, "python"),
    "UTF-16 as if it were UTF-8": (("class Ä {}\n" * 50).encode("utf-16-le"), "java"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_halves_come_to_the_same_with_a_hostile_text(name):
    assert_alike(*HOSTILE[name], limit=1800)


def test_the_halves_give_up_at_the_same_depth():
    text = b"[" * 60 + b"]" * 60
    depths = [
        depth
        for depth in range(40, 80)
        if isinstance(outcome(in_c, text, "python", 20, PerformanceSettings(max_ast_depth=depth))[0], type)
    ]
    assert depths
    assert depths == list(range(40, depths[-1] + 1))
    for depth in (depths[-1], depths[-1] + 1):
        assert_alike(text, "python", 20, PerformanceSettings(max_ast_depth=depth))


# Each of these keeps the scanner of HTML busy up to the end of the text: minutes, all together.
SLOW = b"<!--" * 50_000


def test_the_halves_stop_a_parse_that_has_used_up_its_time():
    short = PerformanceSettings(parse_timeout_seconds=0.1)
    for cut in (in_c, in_python):
        kind, message = outcome(cut, SLOW, "html", 1800, short)
        assert kind is ChunkingTimeoutError
        assert "longer than 0.1 s of processor time" in message


def test_other_threads_go_on_while_the_compiled_half_parses():
    done = threading.Event()

    def work() -> None:
        outcome(in_c, SLOW, "html", 1800, PerformanceSettings(parse_timeout_seconds=0.5))
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    turns = 0
    while not done.wait(0.001):
        turns += 1
    thread.join()
    assert turns > 10


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that sends signals")
def test_an_interrupt_ends_a_parse():
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    start = time.thread_time()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            in_c(SLOW, "html", 1800, PerformanceSettings(parse_timeout_seconds=60))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.thread_time() - start < 10
    assert_alike(b"<p>still works</p>" * 40, "html", 200)


def test_threads_cut_alike_at_the_same_time():
    expected = {name: in_c(text, name, 200, DEFAULTS) for name, text in SAMPLES.items() if name}
    found: list[dict[str, Cut]] = []

    def work() -> None:
        found.append({name: in_c(SAMPLES[name], name, 200, DEFAULTS) for name in expected for _ in range(3)})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


@pytest.mark.parametrize(
    "arguments", [(), (1,), (object(), b"", 1, 1, 1.0, 1.0, 1.0, 1), (None, "text", 9, 9, 1, 1, 1, 1)]
)
def test_what_is_no_grammar_and_no_text_is_refused(arguments):
    native = compiled("trees")
    assert native is not None
    for refuses in (native.cut, native.compile):
        with pytest.raises((TypeError, ValueError)):
            refuses(*arguments)
