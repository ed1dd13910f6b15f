"""Any bytes at all, in any file that Treemill reads, end in a value or a typed error."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from treemill.configuration import load_settings
from treemill.discovery import discover
from treemill.errors import SettingsError
from treemill.git import git_facts
from treemill.ignoring import Rules
from treemill.reading import source_of

texts = st.text(max_size=200)
encoded = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda text, codec: text.encode(codec, "replace"),
        texts,
        st.sampled_from(["utf-8", "utf-16", "latin-1", "utf-8-sig"]),
    ),
    st.builds(lambda text, cut: text.encode()[cut:], texts, st.integers(0, 5)),
)
lines = st.lists(
    st.one_of(st.binary(max_size=20), st.text(alphabet="ab*?[]!/\\ -^", max_size=15).map(str.encode)), max_size=6
)


@given(data=encoded)
def test_every_text_round_trips_and_only_nul_makes_a_file_binary(data):
    source = source_of(data)
    if source is None:
        assert b"\0" in data
        return
    errors = "surrogateescape" if source.encoding == "utf-8" else "strict"
    assert source.text().encode(source.encoding, errors) == data[source.bom :]
    assert source.data == data
    assert source.encoding in ("utf-8", "utf-16-le", "utf-16-be", "latin-1")


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
def test_valid_utf8_is_never_taken_for_anything_else(text):
    data = text.encode()
    source = source_of(data)
    assert source is not None
    assert source.encoding == "utf-8"
    assert source.text() == text.removeprefix("\ufeff")


@given(patterns=lines, path=st.binary(min_size=1, max_size=30))
def test_any_ignore_file_compiles_and_answers(patterns, path):
    rules = Rules(patterns, "test")
    number = rules.ask(path)
    if number is not None:
        verdict = rules.verdict(number)
        assert patterns[verdict.line - 1].strip().startswith(b"!") is not verdict.ignored


@given(settings_file=encoded, ignore_file=encoded, head=encoded)
def test_a_tree_full_of_nonsense_is_walked(settings_file, ignore_file, head):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / ".git").mkdir()
        (root / ".git" / "HEAD").write_bytes(head)
        (root / ".gitignore").write_bytes(ignore_file)
        (root / "treemill.toml").write_bytes(settings_file)
        (root / "pyproject.toml").write_bytes(b"[tool.treemill]\n" + settings_file)
        with contextlib.suppress(SettingsError):
            load_settings(root, environ={"HOME": folder})
        (root / "treemill.toml").unlink()
        with contextlib.suppress(SettingsError):
            load_settings(root, environ={"HOME": folder})
        list(discover(root))
        facts = git_facts(root)
        assert facts is None or facts.commit is None or len(facts.commit) in (40, 64)
