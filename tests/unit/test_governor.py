"""The governor: the model's window decides, the settings where there is none."""

from __future__ import annotations

import pickle
import re

import pytest

from treemill.chunking.governor import BYTES_PER_TOKEN, ChunkGovernor, EmbeddingCapabilities
from treemill.errors import UsageError
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


# ── sizes in characters and tokens ──


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


def test_characters_and_tokens_stand_in_the_place_of_bytes():
    plain = ChunkGovernor()
    assert (plain.max_chunk_characters, plain.max_chunk_tokens, plain.tokenizer) == (None, None, None)
    characters = ChunkGovernor(settings=ChunkerSettings(max_chunk_characters=1000))
    assert (characters.max_chunk_bytes, characters.max_chunk_characters) == (4000, 1000)
    tokens = ChunkGovernor(settings=ChunkerSettings(max_chunk_tokens=512))
    assert (tokens.max_chunk_bytes, tokens.max_chunk_tokens) == (512 * 32, 512)


def test_the_window_of_a_model_bounds_tokens_exactly_and_characters_by_its_bytes():
    settings = ChunkerSettings(max_chunk_tokens=1000, overlap_tokens=100)
    assert ChunkGovernor(SMALL, settings).max_chunk_tokens == 412
    assert ChunkGovernor(LARGE, settings).max_chunk_tokens == 1000
    assert ChunkGovernor(SMALL, tokenizer=words).max_chunk_tokens == 512
    characters = ChunkGovernor(SMALL, ChunkerSettings(max_chunk_characters=1000))
    assert (characters.max_chunk_bytes, characters.max_chunk_characters) == (512 * BYTES_PER_TOKEN, 1000)


def test_a_tokenizer_needs_a_limit_in_tokens_and_has_to_be_a_function():
    with pytest.raises(UsageError, match="Set max_chunk_tokens"):
        ChunkGovernor(tokenizer=words)
    with pytest.raises(UsageError, match="not Regex"):
        ChunkGovernor(SMALL, tokenizer=type("Regex", (), {})())


def test_the_recipe_tells_units_and_tokenizers_apart():
    tokens = ChunkerSettings(max_chunk_tokens=100)
    recipes = [
        ChunkGovernor(settings=ChunkerSettings(max_chunk_bytes=100)).recipe,
        ChunkGovernor(settings=ChunkerSettings(max_chunk_characters=100)).recipe,
        ChunkGovernor(settings=ChunkerSettings(max_chunk_bytes=400)).recipe,
        ChunkGovernor(settings=tokens).recipe,
        ChunkGovernor(settings=tokens, tokenizer=words).recipe,
        ChunkGovernor(settings=tokens, tokenizer=len).recipe,
        ChunkGovernor(settings=tokens, tokenizer=re.compile("a").findall).recipe,
        ChunkGovernor(settings=tokens, tokenizer=Named("one")).recipe,
        ChunkGovernor(settings=tokens, tokenizer=Named("two")).recipe,
    ]
    assert len(set(recipes)) == len(recipes)
    assert ChunkGovernor(settings=tokens, tokenizer=Named("one")).recipe == recipes[-2]
    assert all("0x" not in recipe for recipe in recipes)


class Named:
    """A tokenizer that says what it is."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, text: str) -> int:
        """Count every character."""
        return len(text)
