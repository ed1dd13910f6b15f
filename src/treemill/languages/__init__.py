"""One table of languages: how files are named, what runs them → grammar and delimiter family.

The rows stand in `table.py`, a text that says more in a line than a constructor call could in five.

Imports nothing but the standard library, and no grammar: this package is on the start-up path of every command.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import NamedTuple, Protocol

from treemill.languages.table import TABLE


class Grammar(NamedTuple):
    """Where a grammar is found: the installed module, and the function in it that returns the language's pointer."""

    module: str
    function: str = "language"


class Language(NamedTuple):
    """A language: how its files are told, and what can cut them.

    `suffixes` are ends of names in lower case, dot included, `filenames` whole names, `interpreters` programs of a
    shebang line without their version. `family` is None where no delimiter is better than a line.
    """

    name: str
    suffixes: tuple[str, ...] = ()
    filenames: tuple[str, ...] = ()
    interpreters: tuple[str, ...] = ()
    grammar: Grammar | None = None
    family: str | None = None


class Named(Protocol):
    """A language that only the settings know, as far as the names of its files go."""

    @property
    def name(self) -> str: ...
    @property
    def suffixes(self) -> Sequence[str]: ...
    @property
    def filenames(self) -> Sequence[str]: ...


def _rows() -> dict[str, Language]:
    """Read the table.

    Raises:
        KeyError: a word has none of the four forms.
        ValueError: two rows tell the same name, suffix, file name or interpreter.
    """
    languages: dict[str, Language] = {}
    claimed: set[str] = set()
    family = ""
    for line in TABLE.replace("\n+", "").splitlines():
        if line.startswith("["):
            family = line[1:-1]
        elif line:
            name, *words = line.split()
            forms: dict[str, list[str]] = {".": [], "=": [], "!": [], "@": []}
            for word in words:
                forms[word[0]].append(word if word[0] == "." else word[1:])
            if name in languages or not claimed.isdisjoint(words) or len(set(words)) < len(words):
                raise ValueError(f"the table of languages tells the row {line!r} twice")
            claimed.update(words)
            grammar = Grammar(*forms["@"][0].split(":")) if forms["@"] else None
            told = (tuple(forms["."]), tuple(forms["="]), tuple(forms["!"]))
            languages[name] = Language(name, *told, grammar, family)
    return languages


LANGUAGES: Mapping[str, Language] = MappingProxyType(_rows())
"""All languages by name, those with a grammar and those without."""

_BY_SUFFIX: dict[str, str] = {suffix: each.name for each in LANGUAGES.values() for suffix in each.suffixes}
_BY_FILENAME: dict[str, str] = {name: each.name for each in LANGUAGES.values() for name in each.filenames}
_BY_LOWER_FILENAME: dict[str, str] = {name.lower(): language for name, language in _BY_FILENAME.items()}
_BY_INTERPRETER: dict[str, str] = {
    program.lower(): each.name for each in LANGUAGES.values() for program in each.interpreters
}

# The last parts of the few suffixes that have two: only behind these is a longer one looked for.
_LAST_OF_TWO = frozenset(suffix[suffix.rindex(".") :] for suffix in _BY_SUFFIX if suffix.count(".") > 1)

# Ends that say "a form of the file named before": `config.h.in` is C, `values.yaml.example` YAML.
_WRAPPERS = frozenset((".default", ".dist", ".example", ".in", ".orig", ".sample", ".template", ".tmpl"))

# `Dockerfile.dev` and `Makefile.win` are named in front.
_STEMS = frozenset(("caddyfile", "containerfile", "dockerfile", "gemfile", "jenkinsfile", "kconfig", "makefile"))

_FOREIGN_SEPARATOR = os.sep if os.sep != "/" else None


def language_of_name(name: str) -> str | None:
    """Return the language that a file's name tells, or None.

    `name` may be a path; only its last part counts. A whole file name decides before a suffix, a long suffix before
    a short one, and the exact case before any other. A name that begins with its only dot has no suffix.
    """
    base = name[name.rfind("/") + 1 :]
    if _FOREIGN_SEPARATOR is not None:
        base = base[base.rfind(_FOREIGN_SEPARATOR) + 1 :]
    if base in _BY_FILENAME:
        return _BY_FILENAME[base]
    dot = base.rfind(".")
    if dot > 0:
        suffix = base[dot:]
        if suffix not in _LAST_OF_TWO and suffix in _BY_SUFFIX:
            return _BY_SUFFIX[suffix]
    return _language_of_unusual_name(base, dot)


@cache
def plain_names() -> tuple[dict[str, str], dict[str, str]]:
    """Return the languages of whole file names and, of other names, of suffixes that decide without a longer one."""
    return _BY_FILENAME, {suffix: name for suffix, name in _BY_SUFFIX.items() if suffix not in _LAST_OF_TWO}


def _language_of_unusual_name(base: str, dot: int) -> str | None:
    """Look at what is left: two-part suffixes, other case, wrappers, and names told by their beginning."""
    lower = base.lower()
    if lower in _BY_LOWER_FILENAME:
        return _BY_LOWER_FILENAME[lower]
    if dot <= 0:
        return None
    suffix = lower[dot:]
    if suffix in _LAST_OF_TWO:
        longer = lower[lower.rfind(".", 0, dot) :] if lower.rfind(".", 0, dot) > 0 else ""
        if longer in _BY_SUFFIX:
            return _BY_SUFFIX[longer]
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if suffix in _WRAPPERS:
        return language_of_name(base[:dot])
    stem = lower[: lower.find(".")]
    return _BY_LOWER_FILENAME[stem] if stem in _STEMS else None


def language_among(customs: Iterable[Named], name: str) -> str | None:
    """Return the first of some languages that claims a file's name, by whole name or by suffix, or None.

    To be asked before `language_of_name`: what the settings say comes before the table. Case matters.
    """
    base = name[name.rfind("/") + 1 :]
    for custom in customs:
        if base in custom.filenames or (custom.suffixes and base.endswith(tuple(custom.suffixes))):
            return custom.name
    return None


def language_of_shebang(first_line: bytes) -> str | None:
    """Return the language of the interpreter that a file's first line names, or None.

    Understands `env` with its options and assignments, and a version behind the program's name (`python3.11`).
    More than the first line may be given; what stands behind 512 bytes is not looked at.
    """
    if not first_line.startswith(b"#!"):
        return None
    line = first_line[2:512].replace(b"\r", b"\n").partition(b"\n")[0].decode("latin-1")
    words = iter(line.replace("--split-string=", " ").split())
    program = _last_part(next(words, ""))
    if program == "env":
        program = _program_of_env(words)
    return _BY_INTERPRETER.get(program) or _BY_INTERPRETER.get(program.rstrip("0123456789.-"))


def _program_of_env(words: Iterator[str]) -> str:
    """Return the program that `env` would run; "" where it names none."""
    for word in words:
        if word in ("-u", "--unset", "-C", "--chdir"):
            next(words, None)
        elif word.startswith("-S") and len(word) > 2:
            return _last_part(word[2:])
        elif not word.startswith("-") and "=" not in word:
            return _last_part(word)
    return ""


def _last_part(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")
