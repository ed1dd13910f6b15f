"""The governor: the model's window decides, the settings where there is none."""

from __future__ import annotations

import pickle

import pytest

from treemill.chunking.governor import BYTES_PER_TOKEN, ChunkGovernor, EmbeddingCapabilities
from treemill.settings import ChunkerSettings, CustomLanguage, PerformanceSettings

SMALL = EmbeddingCapabilities(512, "small")
LARGE = EmbeddingCapabilities(8192, "large")


def test_without_a_model_the_settings_set_the_limit():
    assert ChunkGovernor().max_chunk_bytes == ChunkerSettings().max_chunk_bytes
    assert ChunkGovernor(settings=ChunkerSettings(max_chunk_bytes=300)).max_chunk_bytes == 300
    assert ChunkGovernor([]).max_chunk_bytes == ChunkerSettings().max_chunk_bytes


def test_the_limit_follows_the_context_window_of_a_model():
    assert ChunkGovernor(SMALL).max_chunk_bytes == 512 * BYTES_PER_TOKEN
    assert ChunkGovernor(LARGE).max_chunk_bytes == 8192 * BYTES_PER_TOKEN


def test_the_smallest_window_of_several_models_decides():
    assert ChunkGovernor([LARGE, SMALL]).max_chunk_bytes == ChunkGovernor(SMALL).max_chunk_bytes
    assert ChunkGovernor(iter((LARGE, SMALL))).capabilities == (LARGE, SMALL)


def test_a_chunk_and_its_overlap_fit_the_window_together():
    governor = ChunkGovernor(SMALL, ChunkerSettings(overlap_tokens=100))
    assert governor.max_chunk_bytes + governor.overlap_bytes <= 512 * BYTES_PER_TOKEN


def test_a_tiny_window_still_leaves_room_for_a_line():
    assert ChunkGovernor(EmbeddingCapabilities(1)).max_chunk_bytes == 16


@pytest.mark.parametrize(("asked", "given"), [(0, 0), (1, 50), (50, 50), (120, 120), (200, 200)])
def test_overlap_is_off_or_between_50_and_200_tokens(asked, given):
    assert ChunkGovernor(settings=ChunkerSettings(overlap_tokens=asked)).overlap_tokens == given


def test_a_governor_crosses_to_another_process_unchanged():
    settings = ChunkerSettings(
        max_chunk_bytes=500,
        custom_languages=(CustomLanguage(name="brew", suffixes=(".brew",)),),
        custom_delimiters={"brew": ("^==",)},
    )
    governor = ChunkGovernor([SMALL, LARGE], settings)
    again = pickle.loads(pickle.dumps(governor))  # noqa: S301 what we pickled ourselves
    assert again == governor
    assert again.recipe == governor.recipe


def test_a_governor_cannot_be_changed():
    with pytest.raises(AttributeError):
        ChunkGovernor().max_chunk_bytes = 1  # type: ignore[misc]


def test_the_recipe_tells_what_changes_the_cutting_and_nothing_else():
    plain = ChunkGovernor().recipe
    assert ChunkGovernor().recipe == plain
    assert (
        ChunkGovernor(settings=ChunkerSettings(performance=PerformanceSettings(parse_timeout_seconds=99))).recipe
        == plain
    )
    assert ChunkGovernor(settings=ChunkerSettings(custom_delimiters={})).recipe == plain
    others = [
        ChunkGovernor(SMALL),
        ChunkGovernor(settings=ChunkerSettings(max_chunk_bytes=1000)),
        ChunkGovernor(settings=ChunkerSettings(overlap_tokens=50)),
        ChunkGovernor(settings=ChunkerSettings(performance=PerformanceSettings(max_ast_depth=9))),
        ChunkGovernor(settings=ChunkerSettings(custom_delimiters={"brew": ("^==",)})),
        ChunkGovernor(settings=ChunkerSettings(custom_languages=(CustomLanguage(name="brew"),))),
    ]
    assert len({plain, *(each.recipe for each in others)}) == 1 + len(others)


def test_a_window_has_at_least_one_token():
    with pytest.raises(ValueError, match="at least one token"):
        EmbeddingCapabilities(0)


def test_a_model_that_takes_whole_files_says_so():
    assert LARGE.large_context
    assert not SMALL.large_context
