"""Whatever the tree and the index, a plan puts every path into exactly one drawer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from treemill.plan import TRUST_NS, Plan
from treemill.records import RecordedFile, Status
from treemill.types import DiscoveredFile, Skipped, SkipReason, Unreadable

NOW = 10**18

paths = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map("/".join)
sizes = st.integers(0, 2)
stamps = st.sampled_from([NOW - 10 * TRUST_NS, NOW - TRUST_NS, NOW - TRUST_NS + 1, NOW, NOW + 10 * TRUST_NS])


@st.composite
def finds(draw):
    """Draw what a walk may yield: no path twice, and nothing below what is unreadable."""
    found: dict[str, DiscoveredFile | Skipped | Unreadable] = {}
    for path in draw(st.lists(paths, max_size=10, unique=True)):
        kind = draw(st.sampled_from(["file", "file", "skipped", "unreadable"]))
        if kind == "file":
            found[path] = DiscoveredFile(path, "/r", None, draw(sizes), draw(stamps))
        elif kind == "skipped":
            found[path] = Skipped(path, SkipReason.TOO_LARGE, "")
        else:
            found[path] = Unreadable(path, "")
    closed = [path for path, each in found.items() if isinstance(each, Unreadable)]
    return [each for path, each in found.items() if not any(path.startswith(folder + "/") for folder in closed)]


@st.composite
def indexes(draw):
    """Draw a manifest."""
    return [
        RecordedFile(path, draw(sizes), draw(stamps), b"", NOW, draw(st.sampled_from(Status)))
        for path in draw(st.lists(paths, max_size=10, unique=True))
    ]


def below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/") or folder == ""


@given(found=finds(), index=indexes())
def test_every_path_is_in_exactly_one_drawer(found, index):
    planned = Plan([found], index)
    stale = [file.name for file in planned]
    records = {record.path: record for record in index}
    files = {each.name: each for each in found if isinstance(each, DiscoveredFile)}
    skipped = {each.path for each in found if isinstance(each, Skipped)}
    closed = [each.path for each in found if isinstance(each, Unreadable)]

    assert len(stale) == len(set(stale))
    assert planned.stale == len(stale)
    assert planned.stale + planned.unchanged == len(files)
    assert {each.path for each in planned.skipped} == skipped
    for path in files.keys() - set(stale):
        record = records[path]
        assert (record.size, record.stamp) == (files[path].size, files[path].mtime_ns)
        assert record.stamp <= record.seen_ns - TRUST_NS
    unknown = {
        path for path in records.keys() - files.keys() - skipped if any(below(path, folder) for folder in closed)
    }
    assert set(planned.gone) == records.keys() - files.keys() - skipped - unknown
    left_out = {path for path in files.keys() - set(stale) if records[path].status is Status.SKIPPED}
    seen = sum(records[path].status is Status.INDEXED for path in unknown)
    assert planned.known == len(files) - len(left_out) + seen


@given(found=finds(), index=indexes())
def test_carrying_a_plan_out_leaves_nothing_to_do(found, index):
    """After the stale files are recorded, the gone removed and the skips marked, the next plan is empty."""
    manifest = {record.path: record for record in index}
    seen = NOW + 100 * TRUST_NS
    planned = Plan([found], index)
    for file in planned:
        manifest[file.name] = RecordedFile(file.name, file.size, file.mtime_ns, b"k", seen, Status.INDEXED)
    for path in planned.gone:
        del manifest[path]
    for skip in planned.to_mark:
        manifest[skip.path] = RecordedFile(skip.path, 0, 0, b"", seen, Status.SKIPPED, str(skip.reason), skip.detail)
    again = Plan([found], manifest.values())
    assert list(again) == []
    assert (list(again.gone), list(again.to_mark)) == ([], [])
