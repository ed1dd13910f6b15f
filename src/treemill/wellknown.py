"""The variables that every program in the field knows, as a layer of settings: keys and places of services.

    OPENAI_API_KEY, OPENAI_BASE_URL     for `http`
    OLLAMA_HOST                         for `http`, where nothing else says which server
    VOYAGE_API_KEY                      for `voyage`
    HF_HUB_OFFLINE                      nothing is downloaded, whatever else is set

They were set for other programs as well, so whatever was said to Treemill itself comes before them. A key goes only to
the service that it is for: what OLLAMA_HOST names is not sent OPENAI_API_KEY.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from treemill.layers import Layer
from treemill.settings import EmbeddingSettings

OPENAI_URL = "https://api.openai.com/v1"
_OLLAMA_PORT = 11434
_FALSE = ("", "0", "false", "no", "off")


def well_known(environ: Mapping[str, str], chosen: EmbeddingSettings) -> tuple[Layer, tuple[str, ...]]:
    """Return what the variables say to the chosen provider, and warnings about what cannot be used."""
    values: dict[str, str] = {}
    places: dict[str, str] = {}
    told: list[str] = []

    def say(name: str, value: str, variable: str) -> None:
        values[f"embedding.{name}"] = value
        places[f"embedding.{name}"] = f"environment variable {variable}"

    openai = environ.get("OPENAI_API_KEY", "")
    if chosen.provider == "voyage" and environ.get("VOYAGE_API_KEY"):
        say("api_key", environ["VOYAGE_API_KEY"], "VOYAGE_API_KEY")
    elif chosen.provider == "http" and chosen.base_url:
        if openai:
            say("api_key", openai, "OPENAI_API_KEY")
    elif chosen.provider == "http" and environ.get("OPENAI_BASE_URL"):
        say("base_url", environ["OPENAI_BASE_URL"], "OPENAI_BASE_URL")
        if openai:
            say("api_key", openai, "OPENAI_API_KEY")
    elif chosen.provider == "http" and environ.get("OLLAMA_HOST"):
        url = ollama_url(environ["OLLAMA_HOST"])
        if url is None:
            told.append("OLLAMA_HOST names no server; it is HOST, HOST:PORT or a URL")
        else:
            say("base_url", url, "OLLAMA_HOST")
    elif chosen.provider == "http" and openai:
        say("base_url", OPENAI_URL, "OPENAI_API_KEY")
        say("api_key", openai, "OPENAI_API_KEY")
    return Layer(origin="the environment", values=values, places=places), tuple(told)


def offline(environ: Mapping[str, str]) -> Layer:
    """Return the layer that forbids downloads where HF_HUB_OFFLINE is set."""
    if environ.get("HF_HUB_OFFLINE", "").strip().lower() in _FALSE:
        return Layer(origin="the environment", values={})
    return Layer(origin="environment variable HF_HUB_OFFLINE", values={"embedding.allow_downloads": False})


def ollama_url(host: str) -> str | None:
    """Return the base of the OpenAI-compatible service of an Ollama server; None where OLLAMA_HOST names none.

    As Ollama's own programs read it: the scheme and port may be missing, and the address that a server listens on at
    every interface stands for this machine.
    """
    given = host.strip().strip("\"'")
    if given.startswith(":"):
        given = f"127.0.0.1{given}"
    scheme, divider, rest = given.partition("://")
    if not divider:
        scheme, rest = "http", given
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not name or scheme not in ("http", "https"):
        return None
    if port is None:
        port = _OLLAMA_PORT if not divider else {"http": 80, "https": 443}[scheme]
    if name in ("0.0.0.0", "::"):
        name = "127.0.0.1"
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme}://{shown}:{port}{parts.path.rstrip('/')}/v1"
