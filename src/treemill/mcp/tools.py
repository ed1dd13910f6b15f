"""The tools that agents see: names, what they are for, and what they take.

Descriptions are read by models: they say when to use a tool and what comes back. Schemas are JSON Schema objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treemill.values import dataclass

INSTRUCTIONS = """\
Treemill answers questions about the code in the folders it was started for. Use `search` instead of grepping: ask in \
words, by the name of a definition, or by a regular expression. Each answer says how much of the tree was searchable; \
while the index is being built, ask again for the rest. File paths are relative to the root, lines are 1-based and \
inclusive."""

DEFAULT_LIMIT = 8
MOST_RESULTS = 50
DEFAULT_TOKENS = 6_000
MOST_TOKENS = 50_000

_ROOT = {"type": "string", "description": "Which root to ask, as index_status names it; default: all of them"}
_TOKENS = {
    "type": "integer",
    "minimum": 100,
    "maximum": MOST_TOKENS,
    "description": f"End the answer at about so many tokens (default {DEFAULT_TOKENS})",
}
_LIMIT = {
    "type": "integer",
    "minimum": 1,
    "maximum": MOST_RESULTS,
    "description": f"At most so many places (default {DEFAULT_LIMIT})",
}
_FILE = {"type": "string", "description": "Path of an indexed file, relative to the root"}
_LINE = {"type": "integer", "minimum": 1, "description": "The line, 1-based (default 1)"}
_CONTEXT = {"type": "integer", "minimum": 0, "maximum": 200, "description": "Lines more on both sides (default 0)"}


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: `schema` is the JSON Schema of its arguments, `read_only` whether it leaves everything as it is."""

    name: str
    title: str
    description: str
    schema: Mapping[str, Any]
    read_only: bool = True


def _object(required: tuple[str, ...], **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


TOOLS: tuple[Tool, ...] = (
    Tool(
        "search",
        "Search the code",
        "Find code by what it does, by words, by the name of a definition, or by a regular expression. Returns the "
        "best places, one a file, whole functions where they fit: path, lines, symbol and source text.",
        _object(
            ("query",),
            query={"type": "string", "description": "A question, words, a name such as Session.send, or a pattern"},
            limit=_LIMIT,
            paths={
                "type": "array",
                "items": {"type": "string"},
                "description": "Only files that match one of these globs, such as src/**/*.py",
            },
            languages={
                "type": "array",
                "items": {"type": "string"},
                "description": "Only these languages, such as python",
            },
            offset={"type": "integer", "minimum": 0, "description": "Leave out the first so many places (default 0)"},
            mode={
                "type": "string",
                "enum": ["ask", "symbol", "regex"],
                "description": "How the query is meant (default ask, which knows names when it sees them)",
            },
            context=_CONTEXT,
            max_tokens=_TOKENS,
            root=_ROOT,
        ),
    ),
    Tool(
        "find_related",
        "Find similar code",
        "Find code elsewhere that is like the code at a place: other implementations, callers of the same things.",
        _object(("file_path",), file_path=_FILE, line=_LINE, limit=_LIMIT, max_tokens=_TOKENS, root=_ROOT),
    ),
    Tool(
        "read_chunk",
        "Read what stands at a place",
        "Read the whole definition, or the chunk, around a line of an indexed file, as it was indexed last.",
        _object(("file_path",), file_path=_FILE, line=_LINE, context=_CONTEXT, max_tokens=_TOKENS, root=_ROOT),
    ),
    Tool(
        "index_status",
        "How much is searchable",
        "Say which roots are served, how many of their files are searchable, whether indexing goes on, what failed.",
        _object((), root=_ROOT),
    ),
    Tool(
        "reindex",
        "Bring the index up to date",
        "Look at what changed in the tree and index it. Waits until that is done, reporting progress, unless wait is "
        "false. Searching does this by itself; use it to wait for completeness, or with retry after fixing a file.",
        _object(
            (),
            wait={"type": "boolean", "description": "Return when it is done (default true)"},
            retry={"type": "boolean", "description": "Try files again that failed or were skipped (default false)"},
            root=_ROOT,
        ),
        read_only=False,
    ),
)

TOOL_OF: Mapping[str, Tool] = {tool.name: tool for tool in TOOLS}
