"""Languages whose files define symbols, and how each says so: the table behind `definitions`."""

from __future__ import annotations

from collections.abc import Mapping

from treemill.chunking.vocabularies.braces import (
    CPP,
    CSHARP,
    GO,
    JAVA,
    JAVASCRIPT,
    KOTLIN,
    PHP,
    RUST,
    SCALA,
    SWIFT,
    TYPESCRIPT,
    ZIG,
    C,
)
from treemill.chunking.vocabularies.others import (
    BASH,
    ELIXIR,
    HASKELL,
    JULIA,
    LUA,
    MARKDOWN,
    OCAML,
    OCAML_INTERFACE,
    PYTHON,
    RUBY,
    SQL,
)
from treemill.chunking.vocabulary import Vocabulary

VOCABULARIES: Mapping[str, Vocabulary] = {
    "python": PYTHON,
    "javascript": JAVASCRIPT,
    "typescript": TYPESCRIPT,
    "tsx": TYPESCRIPT,
    "java": JAVA,
    "c": C,
    "cpp": CPP,
    "csharp": CSHARP,
    "go": GO,
    "rust": RUST,
    "ruby": RUBY,
    "php": PHP,
    "kotlin": KOTLIN,
    "swift": SWIFT,
    "scala": SCALA,
    "lua": LUA,
    "elixir": ELIXIR,
    "julia": JULIA,
    "haskell": HASKELL,
    "ocaml": OCAML,
    "ocaml-interface": OCAML_INTERFACE,
    "zig": ZIG,
    "bash": BASH,
    "sql": SQL,
    "markdown": MARKDOWN,
}
"""Languages that define symbols; in HTML, CSS, JSON, YAML and TOML nothing has a name to ask for."""
