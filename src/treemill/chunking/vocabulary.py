r"""How a language says that it defines something.

A definition is reached in one of two ways. Containers (`opens`) are looked at child by child: a Java class has its
methods there and nowhere else. Everywhere else the text is searched for *cues* (see `cues`), and the tree is asked for
the smallest node around each: in Python, what stands around the blank behind `def`. A cue too many costs a
microsecond, a cue too few a definition; so there are too many.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from treemill.chunking import cues
from treemill.chunking.cues import Cues
from treemill.chunking.naming import Finder
from treemill.values import dataclass

Defines = Mapping[str, str | tuple[str, Finder]]


class Comments(NamedTuple):
    """How a language comments: `marks` in front of a line, `attribute` in front of a line between comment and
    definition that belongs to the definition, `block` around several lines. Empty where there is no such thing."""

    marks: tuple[bytes, ...] = ()
    attribute: bytes = b""
    block: tuple[bytes, bytes] = (b"", b"")


SLASHES = Comments((b"//",), b"", (b"/*", b"*/"))
HASHES = Comments((b"#",))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The definitions of one language.

    `defines` maps kinds of nodes to what they define, with a finder where the grammar has no `name` field. Nodes of
    the `wraps` kinds lend their beginning to the definition in them, unless `group` stands between the two: then the
    wrapper holds several. A node of the `climbs` kinds is a value: what it is given to is the definition. `body` is
    the grammar's field for what comes after the signature; if empty, that is the last child, of one of the `bodies`.
    With no `comments`, documentation is a string at the beginning of the body; with `quoted_doc`, it may be one in
    front. With `merges`, neighbours of one name are one definition. With `decorated`, wrappers begin with an `@`. Nodes
    of the `blocks` kinds are containers where a wrapper holds them, and only there.
    """

    defines: Defines
    opens: tuple[str, ...] = ()
    wraps: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    climbs: tuple[str, ...] = ()
    cues: Cues = cues.nothing
    comments: Comments | None = SLASHES
    quoted_doc: bool = False
    body: str = "body"
    bodies: tuple[str, ...] = ()
    group: bytes | None = None
    merges: bool = False
    decorated: bool = False
