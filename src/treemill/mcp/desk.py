"""Where questions of agents are answered: from checked arguments to hosts, and from answers to text.

One `Desk` serves all roots of a server, to any number of threads. Text is for models to read: a line on coverage, then
each place under a heading with its path, lines and symbol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from treemill.errors import UsageError
from treemill.hosting import Host, HostStatus
from treemill.mcp.tools import DEFAULT_LIMIT, DEFAULT_TOKENS
from treemill.places import place_of
from treemill.records import Hit, Query
from treemill.searching import Answer

_BYTES_PER_TOKEN = 3.5
_MOST_NAMED = 10


class Desk:
    """The roots of a server, each kept indexed behind."""

    def __init__(self, roots: Sequence[str]) -> None:
        """Take the folders to serve; a folder below an indexed one is served from that index.

        Raises:
            UsageError: one does not exist.
        """
        self._hosts: dict[str, Host] = {}
        for root in roots:
            place = place_of(root)
            self._hosts[str(Path(root).resolve())] = Host(place)

    def __enter__(self) -> Self:
        for host in self._hosts.values():
            host.refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in self._hosts.values():
            host.close()

    def hosts(self, root: str | None) -> dict[str, Host]:
        """Return the hosts of a root, of all without one.

        Raises:
            UsageError: that root is not served.
        """
        if root is None:
            return self._hosts
        known = self._hosts.get(root) or self._hosts.get(str(Path(root).resolve()))
        if known is None:
            raise UsageError(f"{root} is not served here", suggestion=f"Roots: {', '.join(self._hosts)}")
        return {root: known}

    def search(self, given: Mapping[str, Any]) -> str:
        """Answer `search`."""
        mode: Literal["ask", "symbol", "regex"] = given.get("mode", "ask")
        query = Query(
            given["query"],
            limit=given.get("limit", DEFAULT_LIMIT),
            offset=given.get("offset", 0),
            languages=tuple(given.get("languages", ())),
            include=tuple(given.get("paths", ())),
            mode=mode,
            context=given.get("context", 0),
        )
        return self._answer(query, given)

    def find_related(self, given: Mapping[str, Any]) -> str:
        """Answer `find_related`."""
        return self._answer(Query(_place(given), mode="related", limit=given.get("limit", DEFAULT_LIMIT)), given)

    def read_chunk(self, given: Mapping[str, Any]) -> str:
        """Answer `read_chunk`."""
        return self._answer(Query(_place(given), mode="place", limit=1, context=given.get("context", 0)), given)

    def status(self, given: Mapping[str, Any]) -> str:
        """Answer `index_status`."""
        return "\n\n".join(_status(host.status()) for host in self.hosts(given.get("root")).values())

    def _answer(self, query: Query, given: Mapping[str, Any]) -> str:
        hosts = self.hosts(given.get("root"))
        places: list[tuple[str, Hit]] = []
        notes: list[str] = []
        refused: list[UsageError] = []
        for root, host in hosts.items():
            try:
                answer = host.ask(query)
            except UsageError as error:
                # A file that one root lacks may stand in another; if it is in none, that is the answer.
                refused.append(error)
                continue
            shown = root if len(hosts) > 1 else ""
            places += [(shown, hit) for hit in answer.hits]
            notes.append(note_on(shown, answer))
        if refused and len(refused) == len(hosts):
            raise refused[0]
        places.sort(key=lambda each: -each[1].score)
        return _page(notes, places[: query.limit], given.get("max_tokens", DEFAULT_TOKENS))


def _place(given: Mapping[str, Any]) -> str:
    return f"{given['file_path']}:{given.get('line', 1)}"


def note_on(root: str, answer: Answer) -> str:
    """Return what an answer could see, what else to know about it, and why it is empty."""
    whole = "" if answer.coverage.complete else "; incomplete, ask again later for the rest"
    note = f"searched {answer.coverage}{whole}" + (f" in {root}" if root else "")
    parts = [note, *answer.notes, *([f"No result: {answer.reason}"] if answer.reason and not answer.hits else [])]
    return ". ".join(parts)


def _page(notes: Iterable[str], places: Iterable[tuple[str, Hit]], max_tokens: int) -> str:
    """Return notes and places as text, ended where it would exceed a number of tokens."""
    left = int(max_tokens * _BYTES_PER_TOKEN)
    parts = ["[" + " | ".join(notes) + "]"]
    left -= len(parts[0])
    for number, (root, hit) in enumerate(places):
        text = _shown(root, hit)
        size = len(text.encode("utf-8", "replace"))
        if size > left and number:
            parts.append("[cut at max_tokens; narrow the query, or ask with offset for more]")
            break
        parts.append(text if size <= left else text.encode("utf-8", "replace")[:left].decode("utf-8", "ignore"))
        left -= size
    return "\n\n".join(parts)


def _shown(root: str, hit: Hit) -> str:
    place = f"{hit.path}:{hit.start_line}-{hit.end_line}"
    heading = f"## {place}" + (f" {hit.kind} {hit.symbol}" if hit.symbol else "") + (f" in {root}" if root else "")
    if hit.more:
        heading += " (also lines " + ", ".join(f"{first}-{last}" for first, last in hit.more) + ")"
    return f"{heading}\n{hit.content.rstrip()}"


def _status(status: HostStatus) -> str:
    coverage = status.coverage
    lines = [
        f"root: {status.root}",
        f"searchable: {coverage}" + ("" if coverage.complete else " (incomplete)") + f", {coverage.chunks:,} chunks",
        f"left out: {coverage.skipped:,} skipped, {coverage.failed:,} failed",
    ]
    if status.running and status.progress is not None:
        beat = status.progress
        lines.append(f"indexing: {beat.ended:,} of {beat.known:,} files, {beat.files_per_second:,.0f} files/s")
    elif status.running:
        lines.append("indexing: looking at the tree")
    elif status.writer is not None:
        lines.append(f"indexing: another process does it, {status.writer}")
    if status.trouble:
        lines.append(f"trouble: {status.trouble}")
    if status.report is not None:
        lines += [f"failed: {each.path}: {each.message}" for each in status.report.failures[:_MOST_NAMED]]
    return "\n".join(lines)
