"""What an index has to do about a tree: stale, unchanged, gone, left alone."""

from __future__ import annotations

import tracemalloc

import pytest

from treemill.plan import FINE_TRUST_NS, TRUST_NS, Plan, is_unchanged
from treemill.records import RecordedFile, Status
from treemill.types import DiscoveredFile, Skipped, SkipReason, Unreadable

STAMP = 1_700_000_000_000_000_000
LATER = STAMP + 60_000_000_000


def found(path: str, size: int = 10, stamp: int = STAMP) -> DiscoveredFile:
    return DiscoveredFile(path, "/root", "python", size, stamp)


def recorded(path: str, size: int = 10, stamp: int = STAMP, seen: int = LATER, **more) -> RecordedFile:
    return RecordedFile(path, size, stamp, b"k" * 16, seen, **({"status": Status.INDEXED} | more))


def carried_out(discovered, records, **options) -> tuple[list[str], Plan]:
    planned = Plan([discovered], records, **options)
    return [file.name for file in planned], planned


def test_new_and_changed_files_are_stale_and_the_rest_is_counted():
    tree = [found("a.py"), found("bigger.py", size=11), found("new.py"), found("newer.py", stamp=STAMP + 1)]
    index = [recorded("a.py"), recorded("bigger.py"), recorded("gone.py"), recorded("newer.py")]
    stale, planned = carried_out(tree, index)
    assert stale == ["bigger.py", "new.py", "newer.py"]
    assert (planned.stale, planned.unchanged, planned.known) == (3, 1, 4)
    assert list(planned.gone) == ["gone.py"]


def test_an_older_stamp_is_a_change_too():
    assert carried_out([found("a.py", stamp=STAMP - 1)], [recorded("a.py")])[0] == ["a.py"]


@pytest.mark.parametrize(
    ("seen", "trusted"),
    [
        (STAMP + TRUST_NS, True),
        (STAMP + TRUST_NS - 1, False),
        (STAMP, False),
        (STAMP - 3600 * 10**9, False),
    ],
    ids=["two seconds later", "a nanosecond less", "at once", "before the stamp: the clock was set back"],
)
def test_a_stamp_is_trusted_when_it_was_two_seconds_old_at_reading(seen, trusted):
    assert is_unchanged(found("a.py"), recorded("a.py", seen=seen)) is trusted


def test_skipped_and_failed_files_are_tried_again_only_when_they_change_or_on_request():
    index = [
        recorded("binary.py", status=Status.SKIPPED, reason="binary"),
        recorded("broken.py", status=Status.FAILED, reason="ParseError"),
        recorded("fine.py"),
    ]
    tree = [found("binary.py"), found("broken.py"), found("fine.py")]
    assert carried_out(tree, index)[0] == []
    assert carried_out(tree, index, retry=True)[0] == ["binary.py", "broken.py"]
    assert carried_out([found("binary.py", size=11), *tree[1:]], index)[0] == ["binary.py"]


@pytest.mark.parametrize(
    ("reason", "again"),
    [
        ("OSError", True),
        ("PermissionError", True),
        ("ConnectionResetError", True),
        ("StorageError", True),
        ("WorkerCrashedError", False),
        ("ChunkingTimeoutError", False),
        ("TypeError", False),
        ("print", False),
    ],
)
def test_a_file_is_tried_again_where_the_machine_failed_and_left_alone_where_it_did_itself(reason, again):
    index = [recorded("a.py", status=Status.FAILED, reason=reason)]
    stale, planned = carried_out([found("a.py")], index)
    assert stale == (["a.py"] if again else [])
    assert planned.known == 1


def test_unchanged_files_that_are_skipped_are_not_among_the_known():
    index = [recorded("a.py"), recorded("b.bin", status=Status.SKIPPED), recorded("c.py", status=Status.FAILED)]
    _, planned = carried_out([found("a.py"), found("b.bin"), found("c.py")], index)
    assert (planned.unchanged, planned.known) == (3, 2)


def test_everything_can_be_asked_for():
    assert carried_out([found("a.py"), found("b.py")], [recorded("a.py")], everything=True)[0] == ["a.py", "b.py"]


def test_a_file_that_discovery_skips_now_is_to_be_marked_once_and_is_not_gone():
    big = Skipped("big.py", SkipReason.TOO_LARGE, "3 MB, the cap is 1 MB")
    _, planned = carried_out([big], [recorded("big.py")])
    assert (list(planned.skipped), list(planned.to_mark), list(planned.gone)) == ([big], [big], [])
    marked = recorded("big.py", 0, 0, status=Status.SKIPPED, reason=str(big.reason), detail=big.detail)
    _, planned = carried_out([big], [marked])
    assert (list(planned.skipped), list(planned.to_mark), list(planned.gone)) == ([big], [], [])
    bigger = Skipped("big.py", SkipReason.TOO_LARGE, "4 MB, the cap is 1 MB")
    assert list(carried_out([bigger], [marked])[1].skipped) == [bigger]


def test_a_skip_that_the_index_does_not_know_is_to_be_marked():
    new = Skipped("fifo", SkipReason.NOT_REGULAR, "a FIFO")
    assert list(carried_out([new], [])[1].to_mark) == [new]


def test_nothing_at_or_below_an_unreadable_folder_is_gone():
    index = [
        recorded("closed/a.py"),
        recorded("closed/sub/b.py"),
        recorded("closed/bin", status=Status.SKIPPED, reason="binary"),
        recorded("closed.py"),
        recorded("closed-too/c.py"),
        recorded("file.py"),
    ]
    _, planned = carried_out([Unreadable("closed", "Permission denied"), Unreadable("file.py")], index)
    assert list(planned.gone) == ["closed-too/c.py", "closed.py"]
    assert planned.known == 3
    assert [each.path for each in planned.unreadable] == ["closed", "file.py"]


def test_an_unreadable_root_leaves_the_whole_index_as_it_is():
    _, planned = carried_out([Unreadable("", "Permission denied")], [recorded("a.py"), recorded("b/c.py")])
    assert list(planned.gone) == []
    assert planned.known == 2


def test_a_file_that_became_a_folder_is_gone_and_what_is_in_it_is_new():
    stale, planned = carried_out([found("a/b.py")], [recorded("a")])
    assert (stale, list(planned.gone)) == (["a/b.py"], ["a"])
    stale, planned = carried_out([found("a")], [recorded("a/b.py")])
    assert (stale, list(planned.gone)) == (["a"], ["a/b.py"])


def test_a_change_of_case_alone_is_a_new_file_and_one_gone():
    stale, planned = carried_out([found("Readme")], [recorded("README")])
    assert (stale, list(planned.gone)) == (["Readme"], ["README"])


def test_the_tree_is_walked_only_as_far_as_files_are_asked_for():
    walked = []

    def walk():
        for name in ("a.py", "b.py", "c.py"):
            walked.append(name)
            yield found(name)

    planned = Plan(([found] for found in walk()), [recorded("gone.py")])
    files = iter(planned)
    assert walked == []
    assert next(files).name == "a.py"
    assert walked == ["a.py"]
    assert (planned.ended, list(planned.gone), planned.known) == (False, [], 1)
    assert [file.name for file in files] == ["b.py", "c.py"]
    assert (planned.ended, list(planned.gone), planned.known) == (True, ["gone.py"], 3)


def test_a_walk_that_fails_on_the_way_makes_nothing_gone():
    def walk():
        yield found("a.py")
        raise OSError("the disk went away")

    planned = Plan(([found] for found in walk()), [recorded("b.py")])
    with pytest.raises(OSError, match="went away"):
        list(planned)
    assert (planned.ended, list(planned.gone)) == (False, [])


def test_a_plan_is_followed_once():
    planned = Plan([], [])
    list(planned)
    with pytest.raises(RuntimeError, match="only once"):
        iter(planned)


def test_an_unchanged_tree_costs_at_most_500_bytes_a_file():
    count = 20_000
    tracemalloc.start(8)
    records = (recorded(f"some/folder/of/files/name{number}.py", stamp=STAMP + number) for number in range(count))
    planned = Plan((), records)
    # What this test asked for: threads that earlier tests have left may ask for memory too.
    traces = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, __file__, all_frames=True)])
    tracemalloc.stop()
    held = sum(each.size for each in traces.statistics("filename"))
    assert 100 <= held / count <= 500
    assert len(planned.gone) == 0


def test_a_stamp_of_change_that_differs_is_a_change_although_size_and_time_are_the_same():
    file = DiscoveredFile("a.py", "/root", "python", 10, STAMP, STAMP + 5)
    assert is_unchanged(file, recorded("a.py", changed_ns=STAMP + 5))
    assert not is_unchanged(file, recorded("a.py", changed_ns=STAMP + 4))
    assert not is_unchanged(file, recorded("a.py"))


@pytest.mark.parametrize(
    ("changed", "needed"), [(STAMP + 123, FINE_TRUST_NS), (STAMP, TRUST_NS)], ids=["fine", "coarse"]
)
def test_a_stamp_of_change_is_trusted_sooner_where_the_file_system_counts_finely(changed, needed):
    file = DiscoveredFile("a.py", "/root", "python", 10, 0, changed)
    assert is_unchanged(file, recorded("a.py", stamp=0, changed_ns=changed, seen=changed + needed))
    assert not is_unchanged(file, recorded("a.py", stamp=0, changed_ns=changed, seen=changed + needed - 1))


def test_a_file_that_could_not_be_read_is_tried_again_once_it_can_be():
    index = [recorded("a.py", status=Status.SKIPPED, reason="unreadable")]
    assert carried_out([found("a.py")], index)[0] == []
    assert carried_out([found("a.py")], index, readable=lambda file: True)[0] == ["a.py"]
