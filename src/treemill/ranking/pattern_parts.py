"""Which parts of a regular expression match inside one word: what a text must have words for, to match at all.

    `raise \\w+Error\\(` ─▶ every of: a word that matches `raise\\b`, a word that matches `\\b\\w+Error\\b`

A part is a stretch of the pattern whose matches hold bytes of words only, so that it matches in one word of the text or
not at all. Where something must stand that is no part of a word, the part ends at a border.

The syntax is RE2's, and the pattern is one that RE2 has accepted. What is not understood here is no part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum, auto

from treemill.values import dataclass


@dataclass(frozen=True, slots=True)
class Inside:
    """A word must be there in which this pattern (RE2) matches."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Every:
    """All of these must hold."""

    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of these must hold."""

    needs: tuple[Need, ...]


Need = Inside | Every | Either


def needs_of(pattern: str) -> Need | None:
    """Return what the words of a text must be like if the pattern matches in it; None where nothing can be said."""
    reader = _Reader(pattern)
    try:
        found = reader.alternatives(frozenset())
    except (_NotUnderstood, RecursionError):
        return None
    return found.need if reader.at == len(pattern) else None


class _NotUnderstood(Exception):
    """The pattern has something that is not taken apart here."""


class _Kind(Enum):
    WORD = auto()  # holds bytes of words only, or nothing
    BORDER = auto()  # something that is no part of a word stands there, or the text ends
    OTHER = auto()  # may be both


@dataclass(frozen=True, slots=True)
class _Item:
    """One element of a pattern; `sure` says that it is one ASCII letter, digit or underscore whatever it matches."""

    kind: _Kind
    sure: bool = False
    need: Need | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """A pattern or a group: whether it is one part, and what it needs."""

    word: bool
    need: Need | None


_WORD_CHARACTER = re.compile(r"[A-Za-z0-9_\x80-\U0010ffff]")
_REPEATED = re.compile(r"(?:([*+?])|\{(\d+)(?:,\d*)?\})\??")
_GROUP = re.compile(r"\((?:\?P?<\w+>|\?:|(?!\?))")
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")
_CODE = re.compile(r"\\(?:[pP](?:\{\^?\w+\}|\w)|x(?:\{[0-9A-Fa-f]+\}|[0-9A-Fa-f]{2}))")
_NAMED_CLASS = re.compile(r"\[:(\^?)([a-z]+):\]")
_RANGE = re.compile(r"([^\\\]\[])-([^\\\]\[])")
_CLASSES_OF_WORDS = frozenset({"alnum", "alpha", "digit", "lower", "upper", "word", "xdigit"})
_ESCAPED = {
    **dict.fromkeys("bB", _Item(_Kind.WORD)),
    **dict.fromkeys("dw", _Item(_Kind.WORD, True)),
    **dict.fromkeys("AzsWnrtfva", _Item(_Kind.BORDER)),
    **dict.fromkeys("DS", _Item(_Kind.OTHER)),
}
_ANY, _BORDER = _Item(_Kind.OTHER), _Item(_Kind.BORDER)


@dataclass(slots=True)
class _Reader:
    """Reads a pattern from left to right; `at` is the place of the next character."""

    pattern: str
    at: int = 0

    def alternatives(self, flags: frozenset[str]) -> _Read:
        """Read up to the end of the group."""
        branches = [self._sequence(flags)]
        while self.pattern.startswith("|", self.at):
            self.at += 1
            branches.append(self._sequence(flags))
        needs = [branch.need for branch in branches]
        known = [need for need in needs if need is not None]
        need = None if len(known) < len(needs) else known[0] if len(known) == 1 else Either(tuple(known))
        return _Read(all(branch.word for branch in branches), need)

    def _sequence(self, flags: frozenset[str]) -> _Read:
        """Read up to the end of the alternative."""
        run = _Run()
        needs: list[Need] = []
        only_words = True
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            switched = _FLAGS.match(self.pattern, self.at)
            if switched and switched[3] == ")":
                flags = _switched(flags, switched)
                self.at = switched.end()
                needs += run.ended(self.pattern, border=False)
                only_words = False
                continue
            start = self.at
            item = self._repeated(self._item(flags))
            if item.kind is _Kind.WORD:
                run.add(start, self.at, item, flags)
            else:
                needs += run.ended(self.pattern, border=item.kind is _Kind.BORDER)
                only_words = False
                if item.need is not None:
                    needs.append(item.need)
        needs += run.ended(self.pattern, border=False)
        return _Read(only_words, _every(needs))

    def _repeated(self, item: _Item) -> _Item:
        """Read what repeats an item or makes it optional, and return what it is with that."""
        while repeated := _REPEATED.match(self.pattern, self.at):
            self.at = repeated.end()
            if repeated[1] in ("*", "?") or (repeated[2] and int(repeated[2]) == 0):
                item = _Item(_Kind.WORD if item.kind is _Kind.WORD else _Kind.OTHER)
        return item

    def _item(self, flags: frozenset[str]) -> _Item:
        character = self.pattern[self.at]
        if character == "(":
            return self._group(flags)
        if character == "[":
            return _unsure(self._bracketed(), flags)
        if character == "\\":
            return _unsure(self._escaped(), flags)
        self.at += 1
        return _unsure(_ANY if character == "." else _literal(character), flags)

    def _group(self, flags: frozenset[str]) -> _Item:
        switched = _FLAGS.match(self.pattern, self.at)
        opened = switched or _GROUP.match(self.pattern, self.at)
        if opened is None:
            raise _NotUnderstood
        self.at = opened.end()
        inner = self.alternatives(_switched(flags, switched) if switched else flags)
        if not self.pattern.startswith(")", self.at):
            raise _NotUnderstood
        self.at += 1
        return _Item(_Kind.WORD) if inner.word else _Item(_Kind.OTHER, need=inner.need)

    def _escaped(self) -> _Item:
        """Read a backslash and what it belongs to."""
        code = _CODE.match(self.pattern, self.at)
        if code:
            self.at = code.end()
            return _ANY
        character = self.pattern[self.at + 1 : self.at + 2]
        self.at += 2
        if character in _ESCAPED:
            return _ESCAPED[character]
        if not character.isascii() or character.isalnum() or not character:
            raise _NotUnderstood
        return _literal(character)

    def _bracketed(self) -> _Item:
        """Read a class of characters."""
        self.at += 1
        negated = self.pattern.startswith("^", self.at)
        self.at += negated
        members: list[_Item] = []
        while not (self.pattern.startswith("]", self.at) and members):
            if self.at >= len(self.pattern):
                raise _NotUnderstood
            members += self._member()
        self.at += 1
        kinds = {member.kind for member in members}
        if negated or len(kinds) > 1:
            return _ANY
        return _Item(kinds.pop(), all(member.sure for member in members))

    def _member(self) -> list[_Item]:
        """Read a member of a class, which may be a range of characters."""
        named = _NAMED_CLASS.match(self.pattern, self.at)
        if named:
            self.at = named.end()
            return [_Item(_Kind.WORD, True) if named[2] in _CLASSES_OF_WORDS and not named[1] else _ANY]
        between = _RANGE.match(self.pattern, self.at)
        if between:
            self.at = between.end()
            return [_between(between[1], between[2])]
        if self.pattern[self.at] == "\\":
            # A range that an escape begins is read as its members, and an escape is no member of a word here.
            item = self._escaped()
            return [item, _ANY] if self.pattern.startswith("-", self.at) else [item]
        self.at += 1
        return [_literal(self.pattern[self.at - 1])]


@dataclass(slots=True)
class _Run:
    """Neighbouring items that hold bytes of words only, from `start` to `end` of the pattern."""

    start: int = -1
    end: int = -1
    flags: frozenset[str] = frozenset()
    bordered: bool = False
    first: _Item = _ANY
    last: _Item = _ANY

    def add(self, start: int, end: int, item: _Item, flags: frozenset[str]) -> None:
        """Take in one more item."""
        if self.start < 0:
            self.start, self.first, self.flags = start, item, flags
        self.end, self.last = end, item

    def ended(self, pattern: str, *, border: bool) -> list[Need]:
        """Return what the items need, if there are any, and begin anew behind what ends them."""
        needs: list[Need] = []
        if self.start >= 0:
            before = r"\b" if self.bordered and self.first.sure else ""
            behind = r"\b" if border and self.last.sure else ""
            flags = f"(?{''.join(sorted(self.flags))})" if self.flags else ""
            needs.append(Inside(f"{flags}{before}{pattern[self.start : self.end]}{behind}"))
        self.start, self.bordered = -1, border
        return needs


def _every(needs: Iterable[Need]) -> Need | None:
    distinct = tuple(dict.fromkeys(needs))
    return None if not distinct else distinct[0] if len(distinct) == 1 else Every(distinct)


def _switched(flags: frozenset[str], switched: re.Match[str]) -> frozenset[str]:
    return (flags | frozenset(switched[1])) - frozenset(switched[2] or "")


def _literal(character: str) -> _Item:
    if character.isascii():
        word = character.isalnum() or character == "_"
        return _Item(_Kind.WORD, True) if word else _BORDER
    return _Item(_Kind.WORD)


def _between(first: str, last: str) -> _Item:
    """Return what a range of characters is."""
    for same in ("09", "AZ", "az"):
        if same[0] <= first <= last <= same[1]:
            return _Item(_Kind.WORD, True)
    return _Item(_Kind.WORD) if not first.isascii() else _ANY


def _unsure(item: _Item, flags: frozenset[str]) -> _Item:
    """Return an item as it is where case does not count: some ASCII letters then match others, too."""
    return _Item(item.kind, False, item.need) if "i" in flags else item
