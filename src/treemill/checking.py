"""Which embedding provider is used, why, and whether it answers: what `treemill config` and `doctor` tell.

Describing one sends nothing. Checking one embeds one short text, as a run would.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

import numpy as np

from treemill.embedding import EmbeddingProvider, Limits, limits_of, model_of
from treemill.embedding.registry import make_provider
from treemill.embedding.wrappers import checked
from treemill.errors import EmbeddingError, SettingsError
from treemill.settings import Settings
from treemill.values import dataclass

_SAMPLE = "def add(a, b): return a + b"


@dataclass(frozen=True, slots=True)
class ProviderState:
    """A provider as the settings have it.

    `name` is that of the setting, `why` where it was set. `model` is what an index's recipe calls its model, None
    where there is none; `dimension` is 0 where it is not known before it is asked. `where` is the service that texts
    are sent to, "" where they stay in this machine. `answers` is None where it was not asked, `seconds` how long the
    answer took; `trouble` says what is wrong and what to do, "" if nothing is.
    """

    name: str
    why: str
    model: str | None = None
    dimension: int = 0
    runs_in: str = ""
    where: str = ""
    limits: Limits = field(default_factory=Limits)
    answers: bool | None = None
    seconds: float = 0.0
    trouble: str = ""


def describe_provider(settings: Settings, origins: Mapping[str, str]) -> ProviderState:
    """Return which provider is used and why; nothing is sent. `origins` is that of the resolved settings."""
    return _described(settings, origins)[0]


def check_provider(settings: Settings, origins: Mapping[str, str] | None = None) -> ProviderState:
    """Return which provider is used, and whether it embeds a text rightly. What goes wrong is in `trouble`."""
    state, provider = _described(settings, origins or {})
    if provider is None:
        return state
    began = time.perf_counter()
    values: dict[str, Any] = {"answers": True}
    try:
        vectors = provider.embed([_SAMPLE])
        values["dimension"] = provider.dimension or int(np.shape(vectors)[1])
        if provider.dimension and not np.isfinite(checked(vectors, provider, 1)).all():
            raise EmbeddingError(f"{provider.name} made a vector that is not finite")
    except EmbeddingError as error:
        values = {"answers": False, "trouble": str(error)}
    return _with(state, seconds=time.perf_counter() - began, **values)


def provider_trouble(settings: Settings) -> str | None:
    """Return what is wrong with the provider of some settings, and what to do; None if nothing is."""
    return check_provider(settings).trouble or None


def _described(settings: Settings, origins: Mapping[str, str]) -> tuple[ProviderState, EmbeddingProvider | None]:
    chosen = settings.embedding
    origin = origins.get("embedding.provider", "default")
    why = "the default" if origin == "default" else f"set by {origin}"
    state = ProviderState(chosen.provider, why)
    try:
        provider = make_provider(chosen)
    except (SettingsError, EmbeddingError) as error:
        return _with(state, trouble=str(error)), None
    if provider is None:
        if chosen.provider != "none":
            state = _with(state, why=f"{why}; this Treemill has no model in it, so search goes by words")
        return state, None
    where = str(getattr(provider, "where", ""))
    found = _with(
        state,
        model=model_of(provider),
        dimension=provider.dimension,
        runs_in=provider.runs_in,
        where=where,
        limits=limits_of(provider),
    )
    return found, provider


def _with(state: ProviderState, **values: Any) -> ProviderState:
    return replace(state, **values)
