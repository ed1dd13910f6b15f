"""Answers from an index in memory: what comes first, which lines, and what the filters and limits let through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Tree
from treemill.errors import UsageError
from treemill.indexing import index_tree
from treemill.records import Content, Hit, Query
from treemill.searching import Index
from treemill.searching.answering import Asked, answer
from treemill.searching.moment import Moment
from treemill.searching.path_text import PathText
from treemill.searching.patterns import matching
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.memory import MemoryStore

INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))

SHOP = {
    "shop/cart.py": "import pay\n\n\nclass Cart:\n    def add_item(self, item):\n        self.items.append(item)\n",
    "shop/pay.py": "def charge_card(cart):\n    return gateway.charge(cart.total())\n",
    "shop/limits.py": "class RateLimiter:\n    def acquire(self):\n        return self.tokens > 0\n",
    "tests/test_cart.py": "from shop.cart import Cart\n\n\ndef test_cart():\n    cart = Cart()\n    cart.add_item(1)\n",
    "README.md": "# Shop\n\nThe cart holds items until they are paid.\n",
}


@pytest.fixture
def ask(tree: Tree) -> Any:
    """Return a function that indexes files and asks about them."""

    def answer(files: Mapping[str, str | bytes], text: str, /, **fields: Any) -> list[Hit]:
        store = MemoryStore()
        index_tree(tree(files), store, INLINE)
        with Index(store) as handle:
            return list(handle.ask(Query(text, **fields)).hits)

    return answer


def paths(hits: list[Hit]) -> list[str]:
    """Return the paths of hits, in order."""
    return [hit.path for hit in hits]


def test_the_definition_comes_before_its_tests_and_its_documentation(ask: Any) -> None:
    hits = ask(SHOP, "Cart")
    assert paths(hits)[0] == "shop/cart.py"
    assert (hits[0].symbol, hits[0].kind, hits[0].line) == ("Cart", "class", 4)
    assert hits[0].start_line <= 4 <= hits[0].end_line


def test_two_words_find_the_name_they_make_together(ask: Any) -> None:
    assert paths(ask(SHOP, "rate limiter"))[0] == "shop/limits.py"


def test_a_qualified_name_finds_the_method_of_that_class(ask: Any) -> None:
    files = {
        "a.py": "class A:\n    def run(self):\n        pass\n",
        "b.py": "class B:\n    def run(self):\n        pass\n",
    }
    assert [ask(files, name)[0].symbol for name in ("A.run", "B.run")] == ["A.run", "B.run"]


@pytest.mark.parametrize(
    ("asked", "first", "line"),
    [
        ("pay.py", "shop/pay.py", 1),
        ("shop/pay.py:2", "shop/pay.py", 2),
        ("/home/me/src/shop/pay.py:2:5", "shop/pay.py", 2),
        ('File "/srv/shop/pay.py", line 2, in charge_card', "shop/pay.py", 2),
        (r"shop\pay.py", "shop/pay.py", 1),
        ("shop/limits", "shop/limits.py", 1),
        ("./tests/test_cart.py#L5", "tests/test_cart.py", 5),
    ],
)
def test_a_path_finds_the_file_and_the_line_behind_it(ask: Any, asked: str, first: str, line: int) -> None:
    hit = ask(SHOP, asked)[0]
    assert (hit.path, hit.line) == (first, line)
    assert hit.start_line <= line <= hit.end_line


def test_files_of_one_name_stand_by_how_far_up_they_are(ask: Any) -> None:
    files = {"a/b/config.py": "x = 1\n", "config.py": "y = 2\n", "z/config.py": "", "tests/config.py": "w = 1\n"}
    assert paths(ask(files, "config.py")) == ["config.py", "z/config.py", "tests/config.py", "a/b/config.py"]


def test_what_only_looks_like_a_path_is_asked_for_as_words(ask: Any) -> None:
    assert paths(ask(SHOP, "cart/card"))[0] in SHOP
    assert paths(ask(SHOP, "Cart.add_item.py"))[0] == "shop/cart.py"


MESSAGES = {
    "net/open.py": "def fetch(host, n):\n    raise OSError(f'cannot reach {host} after {n} tries, giving up')\n",
    "net/reach.py": "# Reach a host: cannot, after, tries, giving. up\n" * 30 + "def reach(host, tries): ...\n",
    "net/tries.py": "def give_up(tries):\n    return tries\n" * 20,
}


@pytest.mark.parametrize(
    "message",
    [
        "cannot reach example.org after 3 tries, giving up",
        "OSError: cannot reach 10.0.0.1 after 12 tries, giving up",
        '"after 3 tries, giving up"',
    ],
)
def test_a_message_finds_the_line_that_it_comes_from(ask: Any, message: str) -> None:
    hit = ask(MESSAGES, message)[0]
    assert (hit.path, hit.line) == ("net/open.py", 2)
    assert hit.why["together"] > 0


def test_a_description_finds_what_is_named_by_its_words_alone(ask: Any) -> None:
    files = {
        "a.py": "def load_many_cached_user_credentials(): ...\n",
        "b.py": "def load_credentials(): ...\n",
        "c.py": "def load(): ...\n\ndef credentials(): ...\n",
    }
    hits = ask(files, "loads the credentials")
    assert hits[0].path == "b.py"
    fits = {hit.path: hit.why["defined likeness"] for hit in hits}
    assert fits["b.py"] > fits["c.py"]
    assert fits["b.py"] > fits["a.py"] > 0


def test_what_looks_like_a_pattern_is_one_where_lines_match(ask: Any) -> None:
    assert [(hit.path, hit.line) for hit in ask(SHOP, r"def \w+_card\(")] == [("shop/pay.py", 1)]
    assert ask(SHOP, r"cart.*zeppelin\(")[0].why


def test_a_score_is_the_sum_of_its_reasons(ask: Any) -> None:
    for hit in ask(SHOP, "add an item to the cart"):
        assert hit.score == pytest.approx(sum(hit.why.values()), abs=0.01)


def test_equal_files_stand_in_order_of_path(ask: Any) -> None:
    same = "def zeppelin():\n    return 1\n"
    assert paths(ask({"c.py": same, "a.py": same, "b.py": same}, "zeppelin")) == ["a.py", "b.py", "c.py"]


def long_file() -> str:
    """Return a file in which a word stands in many functions."""
    body = "".join(f"    value_{line} = compute({line})\n" for line in range(40))
    return "\n\n".join(f"def part_{number}(zeppelin):\n{body}" for number in range(6))


def test_further_places_are_folded_under_the_best_one(ask: Any) -> None:
    [hit] = ask({"long.py": long_file()}, "zeppelin")
    assert hit.more
    assert all(last < hit.start_line or hit.end_line < first for first, last in hit.more)


def test_all_places_are_shown_where_they_are_asked_for(ask: Any) -> None:
    hits = ask({"long.py": long_file()}, "zeppelin", per_file=100)
    assert len(hits) > 1
    assert not any(hit.more for hit in hits)
    assert len({hit.start_line for hit in hits}) == len(hits)


def test_offset_and_limit_cut_pages_out_of_one_order(ask: Any) -> None:
    whole = ask(SHOP, "cart", limit=10)
    pages = [ask(SHOP, "cart", limit=1, offset=number) for number in range(len(whole))]
    assert [page[0].path for page in pages] == paths(whole)


def test_a_definition_that_is_cut_is_shown_whole(ask: Any) -> None:
    lines = "".join(f"    total += weigh_{line}(parcel)\n" for line in range(60))
    text = "import parcels\n\n\ndef zeppelin_load(parcel):\n    total = 0\n" + lines + "    return total\n"
    [hit] = ask({"load.py": text}, "zeppelin_load")
    assert hit.content.lstrip().startswith(("def zeppelin_load", "import"))
    assert hit.content.rstrip().endswith("return total")


def test_context_adds_lines_on_both_sides(ask: Any) -> None:
    [hit] = ask(SHOP, "def add_item", mode="regex", context=1)[:1]
    assert (hit.start_line, hit.end_line, hit.line) == (4, 6, 5)
    assert hit.content.splitlines() == SHOP["shop/cart.py"].splitlines()[3:6]


def test_an_answer_ends_where_it_would_exceed_its_tokens(ask: Any) -> None:
    some = ask(SHOP, "cart", max_tokens=40)
    assert 0 < len(some) < len(ask(SHOP, "cart"))
    assert sum(len(hit.content) for hit in some) <= 40 * 3.5


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"languages": ("markdown",)}, ["README.md"]),
        ({"include": ("pay.*",)}, ["shop/pay.py"]),
        ({"under": "tests"}, ["tests/test_cart.py"]),
        ({"files": frozenset({"shop/pay.py"})}, ["shop/pay.py"]),
        ({"include": ("shop/*",), "exclude": ("cart.py", "limits.py")}, ["shop/pay.py"]),
    ],
)
def test_filters_keep_what_they_name(ask: Any, fields: dict[str, Any], expected: list[str]) -> None:
    assert paths(ask(SHOP, "cart", **fields)) == expected


def test_a_regular_expression_finds_lines_and_the_definition_around_them(ask: Any) -> None:
    hits = ask(SHOP, r"cart\.(total|add_item)\(", mode="regex")
    assert [(hit.path, hit.line, hit.symbol) for hit in hits] == [
        ("shop/pay.py", 2, "charge_card"),
        ("tests/test_cart.py", 6, "test_cart"),
    ]


def test_lines_of_all_kinds_of_ends_are_counted(ask: Any) -> None:
    assert [hit.line for hit in ask({"a.txt": b"one\r\ntwo\r\nthree\r\n"}, "^t", mode="regex", per_file=9)] == [2, 3]


@pytest.mark.parametrize(
    "text",
    [
        b"two\none\n",
        b"\xef\xbb\xbftwo\none\n",
        b"two\rone\r",
        "two\none\n".encode("utf-16"),
        "two\nüne\n".encode("latin-1"),
        b"two\n\xff\xfe\xfd\n",
    ],
)
def test_a_pattern_matches_the_text_however_it_is_encoded(ask: Any, text: bytes) -> None:
    assert [hit.line for hit in ask({"a.txt": text}, "^two$", mode="regex")] == [1]


def test_a_pattern_without_words_is_looked_for_in_every_file_in_order_of_path(ask: Any) -> None:
    files = {f"{number:03}.py": f"x{number} = {number}\n" for number in range(400)}
    assert paths(ask(files, "= ", mode="regex", limit=400)) == sorted(files)
    assert paths(ask(files, "= ", mode="regex", limit=3, offset=300)) == ["300.py", "301.py", "302.py"]


def test_an_answer_that_would_read_too_much_ends_and_says_so(tree: Tree) -> None:
    store = MemoryStore()
    index_tree(tree({f"{number}.py": f"x = {number}\n" for number in range(9)}), store, INLINE)
    notes: list[str] = []
    with store.snapshot() as snapshot:
        hits = list(matching(Moment(snapshot), Query("= ", mode="regex"), 0, notes, most_read=20))
    assert paths(hits) == ["0.py", "1.py", "2.py"]
    [note] = notes
    assert note.startswith("only 3 files that may match were read, up to 2.py: ")


def test_what_is_like_a_place_is_found_but_not_the_place_itself(ask: Any) -> None:
    hits = ask(SHOP, "shop/cart.py:5", mode="related")
    assert "shop/cart.py" not in paths(hits)
    assert "tests/test_cart.py" in paths(hits)


@pytest.mark.parametrize("place", ["nowhere.py:1", "shop/cart.py:0", "shop/cart.py:999", "shop/cart.py:99999999999"])
def test_a_place_that_is_not_there_is_said_so(ask: Any, place: str) -> None:
    with pytest.raises(UsageError):
        ask(SHOP, place, mode="related")


@given(
    st.lists(st.text("abBİß_./-1", min_size=1, max_size=8), max_size=12),
    st.text("abiß1", min_size=1, max_size=2),
)
def test_paths_are_found_by_any_part_of_a_word_however_often_one_asks(found: list[str], fragment: str) -> None:
    text = PathText(found)
    expected = [number for number, path in enumerate(found) if fragment in path.lower()]
    for _ in range(60):
        assert text.holding(fragment, 100).tolist() == expected


def test_a_file_without_a_chunk_answers_for_no_other(ask: Any) -> None:
    files = {**SHOP, "shop/py.typed": "", "shop/blank.py": "\n\n"}
    assert paths(ask(files, "shop typed blank", limit=50)) == paths(ask(SHOP, "shop typed blank", limit=50))
    assert paths(ask(files, r"^\s*$", mode="regex", limit=50)).count("shop/blank.py") == 1
    with pytest.raises(UsageError, match="is empty"):
        ask(files, "shop/py.typed:1", mode="related")


def test_what_was_removed_counts_for_nothing(tree: Tree) -> None:
    root = tree(SHOP)
    grown, fresh = MemoryStore(), MemoryStore()
    (root / "extra.py").write_text("class Cart:\n    zeppelin = 1\n" * 20)
    index_tree(root, grown, INLINE)
    (root / "extra.py").unlink()
    index_tree(root, grown, INLINE)
    index_tree(root, fresh, INLINE)
    with Index(grown) as after, Index(fresh) as anew:
        for text in ("Cart", "zeppelin", "add an item to the cart"):
            assert after.search(text) == anew.search(text)


def test_answers_do_not_depend_on_the_order_in_which_files_were_committed(tree: Tree) -> None:
    files = {f"part{n}/same.py": f"def zeppelin():\n    return {n}\n" for n in range(80)}
    root = tree(files)
    at_once, bit_by_bit = MemoryStore(), MemoryStore()
    index_tree(root, at_once, INLINE)
    other = tree({})
    for name in sorted(files, reverse=True):
        (other / name).parent.mkdir()
        (other / name).write_text(files[name])
        index_tree(other, bit_by_bit, INLINE)
    with Index(at_once) as one, Index(bit_by_bit) as two:
        for text in ("zeppelin", "where is the zeppelin"):
            assert one.search(text, limit=100) == two.search(text, limit=100)


class Told:
    """A snapshot that notes for how many contents it was asked each time."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.asked: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def content(self, content_id: int) -> Content:
        self.asked.append(1)
        return self.inner.content(content_id)  # type: ignore[no-any-return]

    def contents(self, content_ids: Sequence[int]) -> list[Content]:
        self.asked.append(len(content_ids))
        return self.inner.contents(content_ids)  # type: ignore[no-any-return]


@pytest.mark.parametrize("question", ["add cart items", "add the cart item", "shop/cart.py", "cart.py", "Cart"])
def test_a_store_is_asked_once_for_all_that_an_answer_shows_and_not_again(tree: Tree, question: str) -> None:
    files = {**SHOP, **{f"more{n}/cart.py": f"class Cart:\n    item = {n}\n" for n in range(20)}}
    store = MemoryStore()
    index_tree(tree(files), store, INLINE)
    with store.snapshot() as snapshot:
        told = Told(snapshot)
        moment = Moment(told)  # type: ignore[arg-type]
        first, _ = answer([Asked("", moment, Query(question), None, [])], Query(question))
        # For a name and for a description, names of definitions are read before it is known what is shown.
        most = 2 if question in ("Cart", "add the cart item") else 1
        assert len(told.asked) <= most
        again, _ = answer([Asked("", moment, Query(question), None, [])], Query(question))
    assert first == again
    assert len(told.asked) <= most
