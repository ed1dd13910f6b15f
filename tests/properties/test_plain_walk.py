"""What is walked without a thought is what a walk finds that thinks about everything.

a tree, its ignore files ─┬─ with the compiled half ──▶ found ─┐
                          └─ without ─────────────────▶ found ─┴─ alike, in the same order
"""

from __future__ import annotations

import os
import string
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from conftest import Tree, laid_out
from treemill import plain_walk
from treemill.discovery import Found, discover
from treemill.ignore_hints import Hints, hints_of
from treemill.ignoring import Rules
from treemill.languages import language_of_name
from treemill.native import compiled
from treemill.plain_walk import PlainWalk
from treemill.settings import DiscoverySettings
from treemill.types import DiscoveredFile

LISTING = compiled("listing")
pytestmark = pytest.mark.skipif(
    LISTING is None or not PlainWalk("/", 1).possible or LISTING.walk_plain is None, reason="no compiled half here"
)


def both(root: Path, chosen: DiscoverySettings | None = None) -> list[Found]:
    """Walk a tree with and without the compiled half, and return what both found."""
    with_it = list(discover(root, chosen))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_walk, "_NATIVE", None)
        without = list(discover(root, chosen))
    assert with_it == without
    return with_it


# ── any tree, any patterns ──

NAMES = st.sampled_from(
    ["a", "b.py", "B.PY", "ab", "a.c", "x.d.ts", "é", "\udcff", "\U0001f600", "\uffff", "Makefile", "LICENSE", "run"]
)
FOLDERS = st.sampled_from(["a", "ab", "src", "é", ".idea", "node_modules", "dist", "bin", "x.egg-info", "\udce9"])
GLOBS = st.sampled_from(
    ["a", "ab", "*", "*.c", "a*", "?", "[ab]", "[!a]b*", "**", "a?", "é", "*.py[co]", ".idea", "s?c", "[Mm]ake*", "*b?"]
)
PATTERNS = st.builds(
    lambda bang, slash, parts, end: bang + slash + "/".join(parts) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(GLOBS, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
)
WAYS = st.lists(FOLDERS, max_size=4).map(lambda parts: "".join(part + "/" for part in parts))


@st.composite
def trees(draw: st.DrawFn) -> dict[str, str]:
    """Draw files, none of which is another's folder, and ignore files in some of the folders."""
    files = {way + name: "" for way, name in draw(st.lists(st.tuples(WAYS, NAMES), min_size=1, max_size=16))}
    for way in draw(st.lists(WAYS, max_size=2)):
        files[way + draw(st.sampled_from([".gitignore", ".treemillignore", "Cargo.toml", "pyvenv.cfg"]))] = "\n".join(
            draw(st.lists(PATTERNS, max_size=3))
        )
    return {path: text for path, text in files.items() if not any(other.startswith(path + "/") for other in files)}


@settings(max_examples=300, deadline=None)
@given(files=trees(), chosen=st.lists(PATTERNS, max_size=2), enough=st.sampled_from((1, 3, 1_000)))
def test_any_tree_is_walked_alike(files: Mapping[str, str], chosen: list[str], enough: int) -> None:
    assume(all(Rules([os.fsencode(each)], "settings") for each in chosen))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_walk, "_FIRST", enough)
        both(laid_out(Path(folder), files), DiscoverySettings(exclude=tuple(chosen)))


LETTERS = st.sampled_from([*"ab.*?/[]!^-\\ #x", "**", "[ab]", ".py"])


@settings(max_examples=2_000, deadline=None)
@given(
    pattern=st.lists(LETTERS, min_size=1, max_size=8).map("".join) | PATTERNS,
    way=st.lists(st.text("abx.-!]", min_size=1, max_size=3), max_size=3),
    name=st.text("abx.py-!] ", min_size=1, max_size=6),
    slash=st.booleans(),
)
@example("x[]a]", ["x"], "xa", False)
@example("[[:alpha:]]", [], "a", False)
@example("a\\ ", ["b"], "a ", False)
@example("/**", ["a"], "b", False)
def test_what_no_hint_fits_is_matched_by_no_pattern(pattern: str, way: list[str], name: str, slash: bool) -> None:
    #  pattern matches way/name ──▶ there are no hints, or one fits, or way is the folder of the ignore file
    rules = Rules([pattern.encode()], ".gitignore")
    path = "/".join([*way, name])
    assume(name not in (".", "..") and not {".", ".."}.intersection(way))
    hints = rules.hints()
    if rules and rules.ask(os.fsencode(path + "/" * slash)) is not None and way and hints is not None:
        assert fits(hints, [each.encode() for each in way], name.encode())


def fits(hints: Hints, way: list[bytes], name: bytes) -> bool:
    """Whether rules may say something of a name in the folder at the end of a way."""
    return (
        name in hints.names
        or name.startswith(tuple(hints.beginnings))
        or name.endswith(tuple(hints.endings))
        or any(piece in name for piece in hints.pieces)
        or way[-1] in hints.within
        or not hints.below.isdisjoint(way)
    )


@pytest.mark.parametrize(
    ("pattern", "hints"),
    [
        ("build/", Hints(names=frozenset({b"build"}))),
        ("/build/", Hints()),
        ("!docs/keep.md", Hints(names=frozenset({b"keep.md"}))),
        ("*.py[co]", Hints(endings=frozenset({b".pyc", b".pyo"}))),
        ("[Tt]est*", Hints(beginnings=frozenset({b"Test", b"test"}))),
        ("*.sw?", Hints(pieces=frozenset({b".sw"}))),
        (".idea/*", Hints(within=frozenset({b".idea"}))),
        ("out/**/*", Hints(below=frozenset({b"out"}))),
        ("src/**", Hints(below=frozenset({b"src"}))),
        ("\\#*\\#", Hints(endings=frozenset({b"#"}))),
        ("*", None),
        ("**/?", None),
        ("*/**", None),
        ("/**", None),
    ],
)
def test_hints_say_what_a_pattern_can_match(pattern: str, hints: Hints | None) -> None:
    assert hints_of([b"# nothing", b"", pattern.encode()]) == hints


def test_patterns_that_were_made_to_take_time_take_none() -> None:
    #  ?aaa…a?  a*b*a*b…  10,000 of them ─▶ no hints, and soon
    began = time.monotonic()
    for pattern in (b"?" + b"a" * 4_000 + b"?", b"*a" * 2_000 + b"*", b"[" * 4_000, b"a/" * 2_000 + b"*"):
        assert hints_of([pattern] * 2_000) is None
        hints_of([pattern[:500]] * 1_000)
    assert hints_of(b"?ab%d?" % number for number in range(10_000)) is None
    assert hints_of(b"name%d" % number for number in range(10_000)) is None
    assert time.monotonic() - began < 5


# ── what is not plain ──


def test_what_there_is_something_to_say_about_is_said_as_anywhere(tree: Tree) -> None:
    #  deep/a/ ── a link out, a link to nowhere, a FIFO, one too large, hidden ones, a file of 2 languages by its name
    root = tree(
        {
            "deep/a/large.py": "x" * 2_000,
            "deep/a/fits.py": "a = 1\n",
            "deep/a/.hidden": "",
            "deep/a/.github/ci.yml": "",
            "deep/a/run.PY": "",
            "deep/a/config.h.in": "",
            "deep/b/__pycache__/x.pyc": "",
            "deep/b/c/d.py": "",
            "deep/gone.egg-info/PKG": "",
        }
    )
    (root / "deep/a/out").symlink_to("/etc")
    (root / "deep/a/nowhere").symlink_to("gone")
    (root / "deep/b/folder").symlink_to("../a")
    os.mkfifo(root / "deep/a/pipe")
    found = both(root, DiscoverySettings(max_file_bytes=1_000))
    assert [each.name for each in found if isinstance(each, DiscoveredFile)] == [
        "deep/a/config.h.in",
        "deep/a/fits.py",
        "deep/a/run.PY",
        "deep/b/c/d.py",
    ]
    assert len(found) == 7
    both(root, DiscoverySettings(hidden=True))
    both(root, DiscoverySettings(no_ignore=True, include=("deep/b/__pycache__/*",)))


def test_a_deep_tree_and_a_wide_one_are_walked_to_their_ends(tree: Tree) -> None:
    deep = {"d/" * depth + "f.py": "" for depth in range(1, 120, 7)}
    wide = {f"w/{number % 90:02}/f{number:04}.py": "" for number in range(3_000)}
    found = both(tree({**deep, **wide}))
    assert [each.name for each in found if isinstance(each, DiscoveredFile)] == sorted([*deep, *wide])


def test_a_folder_that_vanishes_or_becomes_a_link_on_the_way_leads_nowhere(tree: Tree, tmp_path: Path) -> None:
    root = tree({f"{name}/f.py": "" for name in "abc"})
    walk = discover(root)
    (root / "a/f.py").unlink()
    (root / "a").rmdir()
    (root / "b/f.py").unlink()
    (root / "b").rmdir()
    (root / "b").symlink_to(tmp_path)
    assert [each.name for each in walk if isinstance(each, DiscoveredFile)] == ["c/f.py"]
    (told,) = LISTING.walk_plain(*arguments(root, "b"))
    assert told == "b/"


def arguments(root: Path, folder: str) -> tuple[object, ...]:
    """What `walk_plain` is called with for a folder below a root."""
    slots = tuple(getattr(DiscoveredFile, name) for name in DiscoveredFile.__match_args__)
    languages = ({}, {".py": "python"}, language_of_name)
    place = os.fsencode(root / folder)
    return place, os.fsencode(folder + "/"), 99, 99, (b"", b""), (b"",) * 5, languages, (DiscoveredFile, slots, "root")


def test_what_makes_a_file_must_fit(tree: Tree) -> None:
    root = tree({"a/f.py": "", "a/g.txt": ""})
    *before, languages, (kind, slots, name) = arguments(root, "a")  # type: ignore[misc]
    found = LISTING.walk_plain(*before, languages, (kind, slots, name))
    assert [(each.name, each.root, each.language) for each in found] == [
        ("a/f.py", "root", "python"),
        ("a/g.txt", "root", language_of_name("g.txt")),
    ]
    for wrong in [(kind, slots[:5], name), (kind, (1,) * 6, name), (7, slots, name), (kind, list(slots), name)]:
        with pytest.raises(TypeError):
            LISTING.walk_plain(*before, languages, wrong)
    with pytest.raises(TypeError):
        LISTING.walk_plain(*before, languages, (str, slots, name))

    def no_language(name: str) -> str | None:
        raise KeyError(name)

    with pytest.raises(KeyError):
        LISTING.walk_plain(*before, ({}, {}, no_language), (kind, slots, name))


def test_names_that_are_long_or_plain_ascii_or_neither_keep_their_order(tree: Tree) -> None:
    names = [*string.ascii_letters, "a-b", "a.b", "a/b.py", "a0/c.py", "z" * 200, "é", "ß", "日本"]
    both(tree({f"deep/{name}.py": "" for name in names}))
