"""Whatever bytes come: settings, ignore rules, questions and exports are taken, or refused by an error of ours."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.contents import content_of
from treemill.configuration import load_settings
from treemill.errors import TreemillError
from treemill.ignoring import Rules
from treemill.ranking.question import analyse
from treemill.storage.exported import ExportReader
from treemill.storage.packed import check_content, pack_content, unpack_content

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PACKED = pack_content(content_of("one two\nthree\n" * 20))


@FUZZ
@given(st.lists(st.binary(max_size=60), max_size=8), st.binary(min_size=1, max_size=60))
def test_any_ignore_file_is_compiled_and_asked(lines, path):
    found = Rules(lines, "x").ask(path)
    assert found is None or found >= 0


@FUZZ
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_settings_file_is_obeyed_or_refused(tmp_path: Path, text):
    (tmp_path / "treemill.toml").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(TreemillError):
        assert load_settings(tmp_path).search.top_k > 0


@FUZZ
@given(st.text(max_size=300))
def test_any_question_is_read(text):
    question = analyse(text)
    assert question.terms is not None


@FUZZ
@given(st.integers(0, len(PACKED) - 1), st.binary(max_size=12))
def test_a_content_with_other_bytes_in_it_is_whole_or_refused(place, noise):
    harmed = PACKED[:place] + noise + PACKED[place + len(noise) :]
    with contextlib.suppress(ValueError):
        content = unpack_content(harmed)
        check_content(content, dimension=0)
        assert len(content.ends) == 4 * content.chunk_count
        assert replace(content, plain=None).size >= 0


@FUZZ
@given(st.binary(max_size=300))
def test_any_export_is_refused_by_an_error_of_ours(tmp_path: Path, data):
    (tmp_path / "x").write_bytes(b"treemill export\n" + data)
    with pytest.raises(TreemillError), ExportReader(tmp_path / "x") as reader:
        list(reader.contents())
