"""The routes of the page: parameters → a host's verbs, in threads → JSON."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from treemill.errors import TreemillError, UsageError
from treemill.hosting import Host
from treemill.records import Hit, Query
from treemill.web.board import Board

PAGE = Path(str(files("treemill.web") / "page"))

MOST_RESULTS = 50
LARGEST_TEXT = 2_000_000
_WATCH_SECONDS = 0.25
_PULSE_SECONDS = 10.0

# A keystroke is answered from the last commit; what changed in the tree is looked at meanwhile, for the next one.
_NO_PATIENCE = 0.0


class Site:
    """What the routes answer from: one host, and the board of its runs."""

    def __init__(self, host: Host, board: Board) -> None:
        self.host = host
        self.board = board

    def search(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Answer `/api/search`."""
        began = time.perf_counter()
        mode = _one_of(given, "mode", ("ask", "symbol", "regex", "related"))
        query = Query(
            given.get("q", ""),
            limit=_number(given, "limit", 12, MOST_RESULTS),
            offset=_number(given, "offset", 0, 10_000),
            languages=_list(given, "lang"),
            include=_list(given, "path"),
            kinds=_list(given, "kind"),
            mode=mode,
        )
        answer = self.host.ask(query, patience=_NO_PATIENCE)
        return {
            "query": query.text,
            "results": [_hit(hit) for hit in answer.hits],
            "coverage": asdict(answer.coverage),
            "reason": answer.reason,
            "notes": answer.notes,
            "milliseconds": round((time.perf_counter() - began) * 1000, 1),
        }

    def file(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Answer `/api/file`."""
        text = self.host.text(given.get("path", ""))
        if len(text.text) > LARGEST_TEXT:
            raise UsageError(f"{text.path} is too long to show", suggestion="Open it in an editor")
        symbols = [
            {"name": symbol.qualified_name, "kind": symbol.kind, "line": symbol.line} for symbol in text.symbols[:5_000]
        ]
        return {"path": text.path, "language": text.language, "text": text.text, "symbols": symbols}

    def map(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Answer `/api/map`: [path, language, bytes, chunks, seconds since the epoch] for each file."""
        rows = [[file.path, file.language, file.size, file.chunks, file.stamp // 10**9] for file in self.host.files()]
        return {"root": self.host.place.root.name, "files": rows}

    def status(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Answer `/api/status`."""
        status = self.host.status()
        report = status.report
        return {
            "root": status.root,
            "under": self.host.place.under,
            "coverage": asdict(status.coverage),
            "running": status.running,
            "trouble": status.trouble,
            "writer": status.writer,
            "run": self.board.as_dict(),
            "last": None
            if report is None
            else {
                "seconds": report.seconds,
                "files": report.stats.files_processed,
                "unchanged": report.unchanged,
                "failures": [asdict(failure) for failure in report.failures[:200]],
                "skipped": [{**asdict(skip), "reason": str(skip.reason)} for skip in report.skipped[:200]],
            },
        }

    def refresh(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Answer `/api/refresh`."""
        self.host.refresh(retry=given.get("retry") == "1")
        return {"begun": True}


def app_for(host: Host, board: Board) -> Starlette:
    """Return the ASGI app over a host; the host begins to index with it, and closes with it."""
    site = Site(host, board)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        host.refresh()
        yield
        await anyio.to_thread.run_sync(host.close)

    return Starlette(
        routes=[
            Route("/", _page),
            Route("/api/search", _answering(site.search)),
            Route("/api/file", _answering(site.file)),
            Route("/api/map", _answering(site.map)),
            Route("/api/status", _answering(site.status)),
            Route("/api/refresh", _answering(site.refresh), methods=["POST"]),
            Route("/api/events", _watching(site)),
            Mount("/page", StaticFiles(directory=PAGE)),
        ],
        lifespan=lifespan,
    )


async def _page(request: Request) -> Response:
    return Response((PAGE / "index.html").read_bytes(), media_type="text/html; charset=utf-8")


def _answering(verb: Callable[[Mapping[str, str]], dict[str, Any]]) -> Callable[[Request], Any]:
    """Return an endpoint that runs a verb in a thread; what the caller can mend is an answer of status 400."""

    async def endpoint(request: Request) -> Response:
        try:
            values = await anyio.to_thread.run_sync(verb, request.query_params, abandon_on_cancel=True)
        except UsageError as error:
            return _json({"error": str(error)}, 400)
        except TreemillError as error:
            return _json({"error": str(error)}, 503)
        return _json(values)

    return endpoint


def _watching(site: Site) -> Callable[[Request], Any]:
    """Return an endpoint that sends the status as server-sent events whenever it has changed."""

    async def endpoint(request: Request) -> Response:
        async def stream() -> AsyncIterator[str]:
            seen, running, quiet = -1, None, 0.0
            while True:
                status = site.host.status()
                if site.board.version != seen or status.running != running or quiet >= _PULSE_SECONDS:
                    seen, running, quiet = site.board.version, status.running, 0.0
                    values = await anyio.to_thread.run_sync(site.status, {})
                    yield f"data: {_dumped(values)}\n\n"
                await anyio.sleep(_WATCH_SECONDS)
                quiet += _WATCH_SECONDS

        return StreamingResponse(stream(), media_type="text/event-stream")

    return endpoint


def _json(values: dict[str, Any], status: int = 200) -> Response:
    return Response(_dumped(values), status, media_type="application/json")


def _dumped(values: dict[str, Any]) -> str:
    # Names of files may hold bytes that are no UTF-8; as escapes they cross, and stay what they are.
    return json.dumps(values, ensure_ascii=True, separators=(",", ":"))


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "path": hit.path,
        "start": hit.start_line,
        "end": hit.end_line,
        "line": hit.line,
        "language": hit.language,
        "symbol": hit.symbol,
        "kind": hit.kind,
        "score": hit.score,
        "why": dict(hit.why),
        "more": hit.more,
        "content": hit.content,
    }


def _number(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name, str(default))
    if not text.isdecimal() or len(text) > 9 or int(text) > most:
        raise UsageError(f"{name} must be a whole number up to {most}, not {text[:40]!r}")
    return int(text)


def _list(given: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in given.get(name, "").split(",") if part.strip())


def _one_of(
    given: Mapping[str, str], name: str, values: tuple[Literal["ask", "symbol", "regex", "related"], ...]
) -> Literal["ask", "symbol", "regex", "related"]:
    text = given.get(name, values[0])
    for value in values:
        if text == value:
            return value
    raise UsageError(f"{name} must be one of {', '.join(values)}, not {text[:40]!r}")
