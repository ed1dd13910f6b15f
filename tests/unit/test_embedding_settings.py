"""The [embedding] section: who may say what, the variables that every program knows, and secrets that stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Tree
from treemill.configuration import explain_settings, load_settings
from treemill.embedding.registry import PROVIDERS, make_provider
from treemill.errors import SettingsError
from treemill.settings import PROVIDER_NAMES, EmbeddingSettings, Settings
from treemill.wellknown import ollama_url

KEY = "sk-secret-0123456789"
HOSTILE = """\
[embedding]
provider = "http"
base_url = "http://collector.example/v1"
model = "m"
query_prefix = "x"
api_key = "sk-theirs"
allow_downloads = true
"""


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    """A settings file of the user's own, empty."""
    path = tmp_path / "config.toml"
    path.touch()
    return path


# ── a tree does not choose where its code is sent ──


@pytest.mark.parametrize(
    ("name", "text"),
    [("treemill.toml", HOSTILE), ("pyproject.toml", HOSTILE.replace("[embedding]", "[tool.treemill.embedding]"))],
)
def test_nothing_of_the_section_is_taken_from_a_tree(tree: Tree, user_file: Path, name: str, text: str) -> None:
    root = tree({name: text})
    resolved = explain_settings(root, environ={}, user_file=user_file)
    assert resolved.settings.embedding == EmbeddingSettings()
    assert len(resolved.warnings) == 6
    line = resolved.warnings[1]
    assert line.startswith(f"embedding.base_url is not taken from {name} line 3")
    assert "a tree does not choose where its code is sent" in line
    assert f"add {str(root)!r} to embedding.trusted_projects" in line


def test_a_tree_that_the_user_trusts_may_choose_all_but_the_key(tree: Tree, user_file: Path) -> None:
    root = tree({"treemill.toml": HOSTILE})
    user_file.write_text(f"[embedding]\ntrusted_projects = ['{root}/../{root.name}']\n")
    resolved = explain_settings(root, environ={}, user_file=user_file)
    assert resolved.settings.embedding.base_url == "http://collector.example/v1"
    assert resolved.settings.embedding.api_key == ""
    assert [warning.split()[0] for warning in resolved.warnings] == ["embedding.api_key"]


def test_trust_in_one_tree_is_none_in_another_or_in_what_lies_below(tree: Tree, user_file: Path) -> None:
    root, other = tree({"treemill.toml": HOSTILE, "below/treemill.toml": HOSTILE}), tree({"treemill.toml": HOSTILE})
    user_file.write_text(f"[embedding]\ntrusted_projects = ['{root}']\n")
    for place in (other, root / "below"):
        assert load_settings(place, environ={}, user_file=user_file).embedding.provider == "static"


def test_a_tree_cannot_declare_itself_trusted(tree: Tree, user_file: Path) -> None:
    root = tree({})
    (root / "treemill.toml").write_text(HOSTILE + f"trusted_projects = ['{root}', '.', '']\n")
    assert load_settings(root, environ={}, user_file=user_file).embedding == EmbeddingSettings()


def test_the_users_file_the_environment_and_flags_choose(tree: Tree, user_file: Path) -> None:
    root = tree({})
    user_file.write_text('[embedding]\nprovider = "http"\nmodel = "from the file"\nbase_url = "http://a/v1"\n')
    env = {"TREEMILL_EMBEDDING__MODEL": "from the environment", "TREEMILL_EMBEDDING__MAX_TEXTS": "7"}
    flags = {"embedding.base_url": "http://b/v1"}
    chosen = load_settings(root, environ=env, user_file=user_file, flags=flags).embedding
    assert (chosen.provider, chosen.model, chosen.base_url) == ("http", "from the environment", "http://b/v1")
    assert chosen.max_texts == 7


# ── variables that every program knows ──


@pytest.mark.parametrize(
    ("chosen", "env", "base_url", "key"),
    [
        ("", {"OPENAI_API_KEY": KEY}, "https://api.openai.com/v1", KEY),
        ("", {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://vllm:8000/v1"}, "http://vllm:8000/v1", KEY),
        ("", {"OLLAMA_HOST": "box"}, "http://box:11434/v1", ""),
        ("", {"OLLAMA_HOST": "box", "OPENAI_API_KEY": KEY}, "http://box:11434/v1", ""),
        ("http://mine/v1", {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://theirs/v1"}, "http://mine/v1", KEY),
        ("http://mine/v1", {"VOYAGE_API_KEY": KEY}, "http://mine/v1", ""),
        ("", {}, "", ""),
    ],
)
def test_a_key_goes_to_the_service_that_it_is_for(
    tree: Tree, user_file: Path, chosen: str, env: dict[str, str], base_url: str, key: str
) -> None:
    user_file.write_text(
        f'[embedding]\nprovider = "http"\nbase_url = "{chosen}"\n' if chosen else '[embedding]\nprovider = "http"\n'
    )
    found = load_settings(tree({}), environ=env, user_file=user_file).embedding
    assert (found.base_url, found.api_key) == (base_url, key)


def test_voyage_has_its_own_key(tree: Tree, user_file: Path) -> None:
    env = {"TREEMILL_EMBEDDING__PROVIDER": "voyage", "VOYAGE_API_KEY": KEY, "OPENAI_API_KEY": "sk-other"}
    found = explain_settings(tree({}), environ=env, user_file=user_file)
    assert found.settings.embedding.api_key == KEY
    assert found.origins["embedding.api_key"] == "environment variable VOYAGE_API_KEY"


def test_the_static_model_needs_no_key_and_takes_none(tree: Tree, user_file: Path) -> None:
    env = {"OPENAI_API_KEY": KEY, "VOYAGE_API_KEY": KEY, "OLLAMA_HOST": "box"}
    assert load_settings(tree({}), environ=env, user_file=user_file).embedding == EmbeddingSettings()


def test_what_was_said_to_treemill_comes_before_what_was_said_to_every_program(tree: Tree, user_file: Path) -> None:
    user_file.write_text(f'[embedding]\nprovider = "http"\nbase_url = "http://mine/v1"\napi_key = "{KEY}"\n')
    env = {"OPENAI_API_KEY": "sk-other", "OPENAI_BASE_URL": "http://theirs/v1"}
    found = load_settings(tree({}), environ=env, user_file=user_file).embedding
    assert (found.base_url, found.api_key) == ("http://mine/v1", KEY)


@pytest.mark.parametrize(("value", "allowed"), [("1", False), ("true", False), ("0", True), ("", True), (None, True)])
def test_offline_is_offline_whatever_else_is_set(tree: Tree, user_file: Path, value: str | None, allowed: bool) -> None:
    user_file.write_text("[embedding]\nallow_downloads = true\n")
    env = {} if value is None else {"HF_HUB_OFFLINE": value}
    assert load_settings(tree({}), environ=env, user_file=user_file).embedding.allow_downloads is allowed


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("box", "http://box:11434/v1"),
        ("box:80", "http://box:80/v1"),
        (":8080", "http://127.0.0.1:8080/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("https://box", "https://box:443/v1"),
        ("http://box:1/ollama/", "http://box:1/ollama/v1"),
        ("[::1]:5", "http://[::1]:5/v1"),
        ("box:port", None),
        ("ftp://box", None),
        ("//", None),
    ],
)
def test_a_host_is_read_as_ollamas_own_programs_read_it(host: str, url: str | None) -> None:
    assert ollama_url(host) == url


# ── secrets ──


def test_a_key_is_shown_as_set_or_not_set_and_stands_in_no_repr(tree: Tree, user_file: Path) -> None:
    user_file.write_text(f'[embedding]\napi_key = "{KEY}"\n')
    resolved = explain_settings(tree({}), environ={}, user_file=user_file)
    shown = {name: value for name, value, _ in resolved.explain()}
    assert shown["embedding.api_key"] == "set"
    assert KEY not in repr(resolved.settings)
    assert KEY not in repr(list(resolved.explain()))
    user_file.write_text("")
    bare = explain_settings(tree({}), environ={}, user_file=user_file)
    assert ("embedding.api_key", "not set", "default") in list(bare.explain())


@pytest.mark.parametrize(
    "text", [f'api_key = ["{KEY}"]', f'api_key = "{KEY}', f'api_key = "{KEY}" x', f'api_kee = "{KEY}"']
)
def test_no_error_about_a_settings_file_shows_a_key(tree: Tree, user_file: Path, text: str) -> None:
    user_file.write_text(f"[embedding]\n{text}\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(tree({}), environ={}, user_file=user_file)
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value)


# ── the table ──


def test_every_name_has_a_place_in_the_table() -> None:
    assert tuple(sorted(PROVIDERS)) == tuple(sorted(PROVIDER_NAMES))


def test_none_is_none() -> None:
    assert make_provider(EmbeddingSettings(provider="none")) is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"provider": "http"}, "does not know its server. Set embedding.base_url, OPENAI_BASE_URL, OLLAMA_HOST"),
        ({"provider": "http", "base_url": "http://a"}, "does not know its model. Set embedding.model"),
        ({"provider": "voyage"}, "has no key. Set VOYAGE_API_KEY"),
    ],
)
def test_what_is_missing_is_named(values: dict[str, str], says: str) -> None:
    pytest.importorskip("httpx", reason="the extra treemill[http] is not installed")
    with pytest.raises(SettingsError) as caught:
        make_provider(EmbeddingSettings(**values))  # type: ignore[arg-type]
    assert says in str(caught.value)


def test_an_unknown_provider_is_an_error_that_lists_them() -> None:
    with pytest.raises(SettingsError, match="static, none, model2vec, onnx, http, voyage, not 'opanai'"):
        Settings(embedding=EmbeddingSettings(provider="opanai"))
