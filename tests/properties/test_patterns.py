"""No content in which a pattern matches is left out, whatever the pattern: compared with a look into every text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treemill.errors import UsageError
from treemill.indexing import index_tree
from treemill.ranking.pattern_parts import needs_of
from treemill.searching.moment import Moment
from treemill.searching.patterns import compiled
from treemill.searching.skimming import texts_of
from treemill.searching.spelled import rows_with
from treemill.settings import ChunkerSettings, ConcurrencySettings, Settings
from treemill.storage.memory import MemoryStore

INLINE = Settings(chunker=ChunkerSettings(concurrency=ConcurrencySettings(executor="inline")))

FILES = {
    "a.py": b"def get_userName(self):\n    return self._name2 or k\n",
    "b.py": "größe = 'ſtraße' + user_ß2 # Kelvin \u212a\n".encode(),
    "c.js": b"\xef\xbb\xbfuser.getName ( 12, 3.5 )\r\nfoo_bar\r\n",
    "d.txt": b"x" * 90 + b"foo get_name ",
    "e.min.js": b"user" * 3_000 + b" foo",
    "f.py": "name = 'caf\xe9 us\xe9r'\n".encode("latin-1"),
    "g.txt": "Foo user name\n".encode("utf-16"),
    "h.txt": b"  \n\n\t\n",
    "i.c": b"int foo(void) { return us_\xff\xfe_er; }\n",
    "j.txt": b"get\nuser\nfoo2bar FOO __name__ _ __ 7\n",
    "k.txt": b"getuser_name9 9user k9_",
}

pieces = st.sampled_from(
    "get user Name name foo bar u s k _ 2 9 é ß ſ ( . \\. \\w \\w+ \\d* \\s+ \\W \\D \\S \\b \\B ^ $ [a-z]+ [^a] "
    "[\\w.] [A-Z_] [[:alpha:]] [é-ü] [\\s(] \\pL \\x75 \\_ (?i) (?-i) .* .{0,3} =".split()
)


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return patterns made of smaller ones."""
    groups = st.tuples(st.sampled_from(["(", "(?:", "(?i:", "(?P<n>"]), inner).map(lambda each: f"{each[0]}{each[1]})")
    repeated = st.tuples(groups | pieces, st.sampled_from(["*", "+", "?", "{2}", "{0,1}", "+?", "{,2}"])).map("".join)
    return st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join), st.tuples(inner, inner).map("|".join), groups, repeated
    )


@pytest.fixture(scope="module")
def moment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moment]:
    """Return the moment of an index with words in many spellings and encodings."""
    root: Path = tmp_path_factory.mktemp("tree")
    for name, data in FILES.items():
        (root / name).write_bytes(data)
    with MemoryStore() as store:
        report = index_tree(root, store, INLINE)
        assert not report.failures
        assert not report.skipped
        with store.snapshot() as snapshot:
            yield Moment(snapshot)


@given(pattern=st.recursive(pieces, grown, max_leaves=8))
def test_no_content_that_matches_is_left_out(moment: Moment, pattern: str):
    try:
        matcher = compiled(pattern)
    except UsageError:
        return
    need = needs_of(pattern)
    rows = None if need is None else rows_with(moment, need, compiled)
    if rows is not None:
        for place, text in texts_of(moment, range(len(FILES))):
            assert rows[moment.row_of_file[place]] or matcher.search(text) is None, moment.files.paths[place]
