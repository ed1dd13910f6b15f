"""Settings: bounds, layers, where a bad value came from, and what a tree may not say."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from treemill.configuration import explain_settings, load_settings, user_settings_file
from treemill.errors import SettingsError
from treemill.layers import Layer, merge, resolve
from treemill.settings import (
    ChunkerSettings,
    ConcurrencySettings,
    CustomLanguage,
    DiscoverySettings,
    PerformanceSettings,
    Settings,
    trusted_only,
)


def layer(values, **more) -> Layer:
    return Layer(**{"origin": "a test", "values": values, **more})


@pytest.fixture
def quiet(tmp_path) -> dict[str, str]:
    """An environment without settings."""
    return {"HOME": str(tmp_path / "nobody")}


# ── values ──


def test_defaults_are_those_of_the_seed():
    limits = PerformanceSettings()
    assert (limits.max_file_size_mb, limits.chunk_timeout_seconds, limits.parse_timeout_seconds) == (10, 30, 10)
    assert (limits.max_chunks_per_file, limits.max_memory_mb_per_operation, limits.max_ast_depth) == (5000, 100, 200)
    assert ConcurrencySettings() == ConcurrencySettings(max_parallel_files=4, executor="process")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ChunkerSettings(max_chunk_bytes=15), "chunker.max_chunk_bytes must be at least 16, not 15"),
        (
            lambda: ChunkerSettings(max_chunk_tokens=15),
            "chunker.max_chunk_tokens must be at least 16, or 0, not 15",
        ),
        (lambda: ChunkerSettings(overlap_tokens=201), "chunker.overlap_tokens must be between 0 and 200, not 201"),
        (lambda: ChunkerSettings(max_chunk_bytes=True), "chunker.max_chunk_bytes must be a whole number, not True"),
        (lambda: ChunkerSettings(max_chunk_bytes=99.5), "chunker.max_chunk_bytes must be a whole number, not 99.5"),
        (lambda: PerformanceSettings(chunk_timeout_seconds=float("nan")), "must be at least 0.01, not nan"),
        (lambda: ConcurrencySettings(executor="fork"), "must be one of process, thread, inline, ray, not 'fork'"),
        (lambda: DiscoverySettings(hidden="yes"), "discovery.hidden must be true or false, not 'yes'"),
        (lambda: DiscoverySettings(exclude="*.py"), "discovery.exclude must be a list of texts, not '*.py'"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_its_bound(build, message):
    with pytest.raises(SettingsError) as caught:
        build()
    assert message in str(caught.value)


def test_values_at_their_bounds_are_fine():
    assert ChunkerSettings(max_chunk_bytes=16, overlap_tokens=200).overlap_tokens == 200
    assert ChunkerSettings(max_chunk_characters=0, max_chunk_tokens=16).max_chunk_tokens == 16


# ── merging ──


def test_no_layers_are_the_defaults():
    assert merge([]) == Settings()


def test_a_later_layer_wins_setting_by_setting():
    settings = merge(
        [
            layer({"chunker": {"max_chunk_bytes": 100, "concurrency": {"executor": "thread"}}}),
            layer({"chunker": {"max_chunk_bytes": 200}, "search.top_k": 3}),
            layer({"chunker": {"max_chunk_bytes": None}}),
        ]
    )
    assert settings.chunker.max_chunk_bytes == 200
    assert settings.chunker.concurrency.executor == "thread"
    assert settings.search.top_k == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"chunker": {"max_chunk_bytes": 3}}, "chunker.max_chunk_bytes must be at least 16, not 3 (a test)"),
        (
            {"chunker": {"max_chunk_byte": 3}},
            "chunker.max_chunk_byte is no setting (a test). Did you mean chunker.max_chunk_bytes?",
        ),
        ({"top_k": 3}, "top_k is no setting (a test). Did you mean search.top_k?"),
        (
            {"zzz": 1},
            "zzz is no setting (a test). The sections are chunker, discovery, storage, search",
        ),
        ({"chunker": 3}, "chunker must be a section, not 3 (a test)"),
        ({"chunker.max_chunk_bytes.deeper": 3}, "chunker.max_chunk_bytes.deeper is no setting (a test)"),
        ({"chunker": {"custom_languages": ["x"]}}, "chunker.custom_languages must be an array of tables"),
        ({"chunker": {"custom_languages": [{}]}}, "chunker.custom_languages[0] has no name (a test)"),
        (
            {"chunker": {"custom_languages": [{"name": "x", "sufixes": []}]}},
            "chunker.custom_languages[0].sufixes is no setting (a test)",
        ),
        ({"chunker": {"custom_delimiters": {"x": "^a"}}}, "chunker.custom_delimiters.x must be a list of texts"),
        ({"discovery": {"exclude": "x" * 500}}, "x..."),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_the_next_step(values, message):
    with pytest.raises(SettingsError) as caught:
        merge([layer(values)])
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_tables_and_lists_become_values():
    settings = merge(
        [
            layer(
                {
                    "chunker": {
                        "custom_languages": [{"name": "x", "suffixes": [".x"], "family": "c"}],
                        "custom_delimiters": {"x": ["^def "]},
                    },
                    "discovery": {"exclude": ["*.gen"]},
                    "chunker.performance": {"max_file_size_mb": 3},
                }
            )
        ]
    )
    assert settings.chunker.custom_languages == (CustomLanguage(name="x", suffixes=(".x",), family="c"),)
    assert settings.chunker.custom_delimiters == {"x": ("^def ",)}
    assert settings.discovery.exclude == ("*.gen",)
    assert settings.chunker.performance.max_file_size_mb == 3.0


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("discovery.hidden", "Yes", True),
        ("discovery.hidden", "0", False),
        ("discovery.exclude", "a, b ,", ("a", "b")),
        ("discovery.max_file_bytes", "2000000", 2_000_000),
        ("storage.commit_seconds", "0.25", 0.25),
        ("chunker.concurrency.executor", "thread", "thread"),
    ],
)
def test_text_is_converted_to_what_the_field_holds(name, text, value):
    resolved = resolve([layer({name: text}, as_text=True)], Settings)
    assert {setting: found for setting, found, _ in resolved.explain()}[name] == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("discovery.hidden", "maybe", "discovery.hidden must be true or false, not 'maybe'"),
        ("search.top_k", "ten", "search.top_k must be a whole number, not 'ten'"),
        ("search.top_k", "9" * 5000, "search.top_k must be"),
        ("chunker.custom_languages", "x", "chunker.custom_languages cannot be set in the environment"),
    ],
)
def test_text_that_cannot_be_converted_is_refused(name, text, message):
    with pytest.raises(SettingsError) as caught:
        merge([layer({name: text}, as_text=True)])
    assert message in str(caught.value)


@dataclass(frozen=True, kw_only=True)
class Provider:
    endpoint: str | None = trusted_only(None)
    model: str = "small"


@dataclass(frozen=True, kw_only=True)
class Outer:
    provider: Provider = field(default_factory=Provider)


def test_what_reaches_beyond_the_tree_is_not_taken_from_the_tree():
    mine = layer({"provider": {"endpoint": "https://mine"}}, origin="config.toml")
    tree = layer({"provider": {"endpoint": "https://evil", "model": "big"}}, origin="treemill.toml", trusted=False)
    resolved = resolve([mine, tree], Outer)
    assert resolved.settings == Outer(provider=Provider(endpoint="https://mine", model="big"))
    assert resolved.warnings == ("provider.endpoint is not taken from treemill.toml: set it in your own settings file",)


# ── files, environment, flags ──


def test_flags_win_over_environment_over_project_over_user_over_defaults(tree, quiet, tmp_path):
    user = tmp_path / "config.toml"
    user.write_text("[search]\ntop_k = 1\nper_file = 1\n[storage]\ncommit_seconds = 1\n[discovery]\nhidden = true\n")
    root = tree({"treemill.toml": "[search]\ntop_k = 2\nper_file = 2\n[storage]\ncommit_seconds = 2\n"})
    environ = quiet | {"TREEMILL_SEARCH__TOP_K": "3", "TREEMILL_SEARCH__PER_FILE": "3"}
    flags = {"search": {"top_k": 4, "per_file": None}}
    resolved = explain_settings(root, flags=flags, environ=environ, user_file=user)
    said = {name: (value, origin) for name, value, origin in resolved.explain()}
    assert said["search.top_k"] == (4, "a flag")
    assert said["search.per_file"] == (3, "environment variable TREEMILL_SEARCH__PER_FILE")
    assert said["storage.commit_seconds"] == (2.0, "treemill.toml line 5")
    assert said["discovery.hidden"] == (True, f"{user} line 7")
    assert said["chunker.max_chunk_bytes"] == (1800, "default")
    assert resolved.settings == load_settings(root, flags=flags, environ=environ, user_file=user)


def test_without_any_source_there_are_the_defaults(tree, quiet):
    assert load_settings(tree({}), environ=quiet) == Settings()


def test_pyproject_counts_where_there_is_no_treemill_toml(tree, quiet):
    pyproject = "[project]\nname = 'x'\n[tool.treemill.search]\ntop_k = 7\n"
    resolved = explain_settings(tree({"pyproject.toml": pyproject}), environ=quiet)
    assert resolved.settings.search.top_k == 7
    assert resolved.origins["search.top_k"] == "pyproject.toml line 4"
    both = explain_settings(tree({"pyproject.toml": pyproject, "treemill.toml": ""}), environ=quiet)
    assert both.settings.search.top_k == 10
    assert both.warnings == ("[tool.treemill] of pyproject.toml is not used, as there is a treemill.toml",)


@pytest.mark.parametrize("text", ["{{ cookiecutter }}", "[project\n", "# treemill\n[", b"\xff\xfe[tool]"])
def test_a_broken_pyproject_that_says_nothing_to_us_is_none_of_our_business(tree, quiet, text):
    assert load_settings(tree({"pyproject.toml": text}), environ=quiet) == Settings()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"treemill.toml": "[search]\ntop_k = ten\n"}, "treemill.toml is not valid TOML: Invalid value (at line 2"),
        ({"treemill.toml": b"x = '\xff'"}, "treemill.toml is not UTF-8"),
        ({"treemill.toml/a": ""}, "treemill.toml cannot be read"),
        ({"treemill.toml": "a = " + "[" * 100_000}, "treemill.toml is n"),
        (
            {"treemill.toml": "[search]\ntop_k = 0\n"},
            "search.top_k must be between 1 and 10000, not 0 (treemill.toml line 2)",
        ),
        ({"treemill.toml": "[search]\ntop_k = 0x" + "f" * 9000}, "not a number that long (treemill.toml line 2)"),
        ({"treemill.toml": "[search]\ntop_k = " + "9" * 9000}, "treemill.toml is not valid TOML"),
        ({"pyproject.toml": "[tool.treemill.search]\ntop_k = 0\n"}, "(pyproject.toml line 2)"),
        ({"pyproject.toml": "[tool]\ntreemill = 3\n[tool.treemill]\n"}, "pyproject.toml is not valid TOML"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tree, quiet, files, message):
    with pytest.raises(SettingsError) as caught:
        load_settings(tree(files), environ=quiet)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_bad_variable_is_named(tree, quiet):
    for name, message in [
        ("TREEMILL_SEARCH__TOP_K", "(environment variable TREEMILL_SEARCH__TOP_K)"),
        ("TREEMILL_SERCH__TOP_K", "serch.top_k is no setting (environment variable TREEMILL_SERCH__TOP_K)"),
    ]:
        with pytest.raises(SettingsError) as caught:
            load_settings(tree({}), environ=quiet | {name: "x"})
        assert message in str(caught.value)


def test_variables_that_are_empty_or_no_settings_are_passed_over(tree, quiet):
    environ = quiet | {"TREEMILL_SEARCH__TOP_K": "", "TREEMILL_STATE_DIR": "/x", "PATH": "/bin"}
    assert load_settings(tree({}), environ=environ) == Settings()


def test_the_users_file_is_where_the_environment_says_and_must_exist_then(tree, tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text("[search]\ntop_k = 5\n")
    assert load_settings(tree({}), environ={"TREEMILL_CONFIG": str(mine)}).search.top_k == 5
    with pytest.raises(SettingsError, match=r"gone\.toml cannot be read"):
        load_settings(tree({}), environ={"TREEMILL_CONFIG": str(tmp_path / "gone.toml")})


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="other platforms have other places")
def test_the_users_file_lies_in_the_platforms_place(tree, tmp_path):
    assert user_settings_file({"HOME": "/h"}) == Path("/h/.config/treemill/config.toml")
    assert user_settings_file({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}) == Path("/c/treemill/config.toml")
    place = user_settings_file({"HOME": str(tmp_path)})
    place.parent.mkdir(parents=True)
    place.write_text("[search]\ntop_k = 5\n")
    assert load_settings(tree({}), environ={"HOME": str(tmp_path)}).search.top_k == 5


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_a_settings_file_of_the_tree_that_is_none_is_refused_without_waiting(tree, quiet, kind):
    root = tree({})
    if kind == "fifo":
        os.mkfifo(root / "treemill.toml")
    else:
        (root / "treemill.toml").symlink_to("/dev/zero")
    with pytest.raises(SettingsError, match=r"treemill\.toml cannot be read"):
        load_settings(root, environ=quiet)
