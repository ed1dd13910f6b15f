"""The words a worker has met: token → terms, for all new tokens of a batch at once.

What a token comes to is what `words.terms_of` says, found without going through tokens one by one: the parts of ASCII
identifiers are cut by comparing the kinds of neighbouring bytes, parts are recognised by their hashes as tokens are,
and Python looks only at a part that was never seen, to stem it. Most tokens are made of parts that were seen before.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import compress, repeat
from operator import not_

import numpy as np
import numpy.typing as npt

from treemill.ranking.identifiers import split_identifier, unspaced
from treemill.ranking.tokens import Growing, Numbers, Places, cut, hash_tokens
from treemill.ranking.words import LONGEST_TOKEN, name_terms, stem, stems, term_id
from treemill.values import dataclass

_COMPOUND = zlib.crc32(b"=")
_NONE = np.zeros(0, np.int64)

_DIGIT, _LOWER, _UPPER = 1, 2, 3
_KINDS = np.zeros(256, np.uint8)
_KINDS[list(b"0123456789")] = _DIGIT
_KINDS[list(b"abcdefghijklmnopqrstuvwxyz")] = _LOWER
_KINDS[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")] = _UPPER


class Stems:
    """stem ↔ number, from 0 in order of first sight: `ids` (uint32) are the terms' ids, `texts` their UTF-8."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self._ids = Growing(np.uint32)
        self._numbers: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def ids(self) -> npt.NDArray[np.uint32]:
        """The id of each term, by number."""
        return self._ids.values

    def ids_from(self, first: int) -> npt.NDArray[np.uint32]:
        """Return the ids of the terms from a number on."""
        return self.ids[first:]

    def number(self, texts: Sequence[bytes]) -> Places:
        """Return the number of each stem; new ones get the next."""
        known = self._numbers
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, range(len(known), len(known) + len(new)), strict=True))
        self.texts += new
        self._ids.extend(np.fromiter(map(zlib.crc32, new), np.uint32, len(new)))
        return np.fromiter(map(known.__getitem__, texts), np.int64, len(texts))


class Vocabulary:
    """Recognises tokens and knows the terms of each: those of token i are `terms[firsts[i] : firsts[i + 1]]`.

    `terms` (int64) number `stems`. `compounds` (uint32) are the ids of the tokens' compounds, also of tokens that have
    one part and so none in a text.
    """

    def __init__(self) -> None:
        self.stems = Stems()
        self._tokens, self._parts = Numbers(), Numbers()
        self._stem_of_part = Growing(np.int64)
        self._terms, self._firsts, self._compounds = Growing(np.int64), Growing(np.int64), Growing(np.uint32)
        self._firsts.extend(np.zeros(1, np.int64))

    def __len__(self) -> int:
        return len(self._tokens)

    def read(self, text: bytes) -> tuple[Places, Places]:
        """Return where the tokens of a text start, ascending, and the number of each.

        The text starts and ends with a blank, and holds nothing but blanks and bytes of words.
        """
        starts, ends = cut(text, LONGEST_TOKEN)
        numbers, new = self._tokens.read(hash_tokens(text, starts, ends))
        if len(new):
            places = zip(starts[new].tolist(), ends[new].tolist(), strict=True)
            self._learn([text[start:end] for start, end in places])
        return starts, numbers

    def terms_of(self, tokens: Places) -> tuple[Places, Places]:
        """Return how many terms each token has, compounds not counted, and the terms of all, one behind the other."""
        firsts = self._firsts.values
        first = firsts.take(tokens)
        counts = firsts.take(tokens + 1)
        counts -= first
        ends = np.cumsum(counts)
        first += counts
        first -= ends
        flat = np.repeat(first, counts)
        flat += np.arange(len(flat))
        return counts, self._terms.values.take(flat)

    def compounds(self, tokens: Places) -> npt.NDArray[np.uint32]:
        """Return the id of each token's compound."""
        return self._compounds.values[tokens]

    def _learn(self, tokens: Sequence[bytes]) -> None:
        """Work out the terms of tokens that have just got their numbers, in order."""
        flags = list(map(bytes.isascii, tokens))
        terms, counts, compounds = self._ascii(list(compress(tokens, flags)))
        if not all(flags):
            plain = np.array(flags)
            other_terms, other_counts, other_compounds = split_others(
                list(compress(tokens, map(not_, flags))), self.stems
            )
            counts = _woven(plain, counts, other_counts)
            compounds = _woven(plain, compounds, other_compounds)
            terms = _woven(np.repeat(plain, counts), terms, other_terms)
        self._firsts.extend(self._firsts.values[-1] + np.cumsum(counts))
        self._terms.extend(terms)
        self._compounds.extend(compounds)

    def _ascii(self, tokens: Sequence[bytes]) -> tuple[Places, Places, Places]:
        """Return the terms of ASCII tokens, how many each has, and the ids of their compounds."""
        joined = b" ".join((b"", *tokens, b""))
        lowered = joined.lower()
        starts, ends = _parts_of(np.frombuffer(joined, np.uint8))
        numbers, new = self._parts.read(hash_tokens(lowered, starts, ends))
        if len(new):
            places = zip(starts[new].tolist(), ends[new].tolist(), strict=True)
            self._stem_of_part.extend(self.stems.number(stems([lowered[start:end] for start, end in places])))
        sizes = np.fromiter(map(len, tokens), np.int64, len(tokens)) + 1
        counts = np.diff(np.searchsorted(starts, np.cumsum(np.concatenate(([1], sizes)))))
        wholes = lowered.translate(None, b"_")[1:-1].split(b" ") if tokens else []
        compounds = np.fromiter(map(zlib.crc32, wholes, repeat(_COMPOUND)), np.int64, len(tokens))
        return self._stem_of_part.values[numbers], counts, compounds


def split_others(tokens: Sequence[bytes], known: Stems) -> tuple[Places, Places, Places]:
    """Return the stems of tokens that are not all ASCII, how many each has, and the ids of their compounds."""
    if not tokens:
        return _NONE, _NONE, _NONE
    text = b" ".join(tokens).decode("utf-8", "replace")
    plain = repeat(False) if unspaced(text) else map(str.isalpha, text.split(" "))
    parts = [
        [lowered] if whole else split_identifier(token)
        for token, lowered, whole in zip(text.split(" "), text.lower().split(" "), plain, strict=False)
    ]
    terms = known.number([stem(part).encode() for each in parts for part in each])
    counts = np.fromiter(map(len, parts), np.int64, len(parts))
    compounds = [zlib.crc32("".join(each).encode(), _COMPOUND) for each in parts]
    return terms, counts, np.array(compounds, np.int64)


@dataclass(frozen=True, slots=True)
class OddName:
    """A name that is no token in ASCII: the ids of its terms, its compound's last, and the numbers of its stems."""

    ids: list[int]
    stems: list[int]


class OddNames:
    """Remembers the terms of names that are no tokens in ASCII."""

    def __init__(self, stems: Stems) -> None:
        self._stems = stems
        self._known: dict[str, OddName] = {}

    def of(self, name: str) -> OddName:
        """Return the terms of a name."""
        known = self._known.get(name)
        if known is None:
            *words, compound = name_terms(name)
            numbers = self._stems.number([word.encode("utf-8", "surrogatepass") for word in words])
            ids = [term_id(word) for word in (*words, compound)]
            known = self._known[name] = OddName(ids, numbers.tolist())
        return known


def _parts_of(text: npt.NDArray[np.uint8]) -> tuple[Places, Places]:
    """Return where the parts of ASCII identifiers start and end, as `identifiers.split_identifier` cuts them.

    A part starts where the kind of byte changes, but a capital goes with the small letters behind it. The text starts
    and ends with a blank.
    """
    kinds = _KINDS[text]
    before, here, behind = kinds[:-2], kinds[1:-1], kinds[2:]
    starts = np.zeros(len(kinds), np.bool_)
    starts[1:-1] = (here != before) & (here != 0) & ~((here == _LOWER) & (before == _UPPER))
    starts[1:-1] |= (here == _UPPER) & (behind == _LOWER)
    ends = (here != 0) & ((behind == 0) | starts[2:])
    return np.flatnonzero(starts), np.flatnonzero(ends) + 2


def _woven(first: npt.NDArray[np.bool_], where: Places, elsewhere: Places) -> Places:
    """Return values in the order in which they came: `where` where `first` says so, `elsewhere` in the other places."""
    woven = np.empty(len(first), np.int64)
    woven[first] = where
    woven[~first] = elsewhere
    return woven
