"""Which licences let a package's code teach the encoder, read from metadata and from licence texts.

Taken are permissive licences (MIT, BSD, Apache, ISC, PSF, zlib, Boost and alike), public domain, and MPL. What is not
recognised is refused: silence is no permission.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from dataclasses import dataclass

# Short names as metadata and debian/copyright spell them. GPL, LGPL, AGPL, EPL, CDDL and Artistic are left out.
_TAKEN = re.compile(
    r"(0?bsd|mit|expat|x11|isc|apache|asl|psf|python|cpython|mpl|mozilla|zlib|libpng|bsl|boost|unlicense|cc0|public.?domain|pd\b"
    r"|wtfpl|ncsa|hpnd|postgresql|openssl|ssleay|curl|icu|unicode|ruby|ijg|ftl|freetype|nist|sqlite|blessing|tcl|artistic.2|upl"
    r"|go\b|llvm|permissive|ofl|sil|zpl|ntp|old.?mit|new.?bsd|simplified|3.clause|2.clause|matplotlib|zope|gnuplot.?permissive|ms-pl|all-permissive)",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"(gpl|gnu|gfdl|copyleft|epl|eclipse|cddl|cecill|eupl|osl|non.?commercial|proprietary|cc.by.nc|cc.by.sa|sspl|busl"
    r"|elastic|commons clause)",
    re.IGNORECASE,
)

_TEXTS: dict[str, re.Pattern[str]] = {
    "MIT": re.compile(r"permission is hereby granted,? free of charge"),
    "BSD": re.compile(r"redistribution and use in source and binary forms"),
    "Apache-2.0": re.compile(r"apache license|licensed under the apache"),
    "ISC": re.compile(r"permission to use, copy, modify,? and(/or)?,? distribute this software"),
    "MPL": re.compile(r"mozilla public license"),
    "PSF": re.compile(r"python software foundation license"),
    "Zlib": re.compile(r"this software is provided ['‘`\"]as-is['’\"]+, without any express"),
    "BSL-1.0": re.compile(r"boost software license"),
    "Unlicense": re.compile(r"free and unencumbered software released into the public domain"),
    "public-domain": re.compile(
        r"(released|placed|dedicated|is) (in|into|to) the public domain|author disclaims copyright|cc0"
    ),
    "PostgreSQL": re.compile(
        r"postgresql license|permission to use, copy, modify, and distribute this software and its\s+documentation"
    ),
    "Ruby": re.compile(r"you can redistribute it and/or modify it under either the terms of the 2-clause bsdl"),
}
_COPYLEFT_TEXT = re.compile(r"gnu (lesser |library |affero )?general public license|eclipse public license|cddl")


def allows(expression: str) -> bool:
    """Tell whether a licence expression permits use: any side of an "or", every side of an "and"."""
    text = expression.strip()
    if not text:
        return False
    alternatives = re.split(r"\s+or\s+|\s*\|\s*|\s*/\s*(?=[A-Z(])", text.strip("()"), flags=re.IGNORECASE)
    return any(all(_allows_one(part) for part in _parts(each)) for each in alternatives)


def _parts(alternative: str) -> list[str]:
    return [
        part
        for part in re.split(r"\s+and\s+|[,;]\s*(?:and\s+)?", alternative, flags=re.IGNORECASE)
        if part.strip(" ()")
    ]


def _allows_one(name: str) -> bool:
    return bool(_TAKEN.search(name)) and not _REFUSED.search(name)


def recognise(text: str) -> str | None:
    """Return the permissive licence that a licence file opens with, or None.

    Only the opening counts: the tail of a bundle's file lists what its parts are under.
    """
    opening = re.sub(r"[\s#*/]+", " ", text[:6000]).lower()
    found = [(match.start(), name) for name, pattern in _TEXTS.items() if (match := pattern.search(opening))]
    if not found:
        return None
    refused = _COPYLEFT_TEXT.search(opening)
    start, name = min(found)
    return None if refused and refused.start() < start else name


def names_copyleft(text: str) -> bool:
    """Tell whether a licence text names a copyleft licence anywhere."""
    return bool(_COPYLEFT_TEXT.search(re.sub(r"[\s#*/]+", " ", text).lower()))


@dataclass(frozen=True, slots=True)
class DebianCopyright:
    """What debian/copyright says: the licence of the package as a whole, its source address, and tests.

    `allows_all` holds where every part of the upstream source is allowed, packaging apart; `by_file` where the parts
    are told apart at all.
    """

    licence: str
    source: str
    allows_file: Callable[[str], bool]
    allows_all: bool
    by_file: bool


def read_debian_copyright(text: str) -> DebianCopyright | None:
    """Read a debian/copyright file; None where nothing says what the whole is under.

    In the machine-readable form the last `Files:` paragraph that matches a path decides, as the format has it. In
    the free form the licence text it opens with counts; `allows_all` then says whether no copyleft is named anywhere.
    """
    paragraphs = [_fields(paragraph) for paragraph in re.split(r"\n\s*\n", text)]
    source = next((fields["source"] for fields in paragraphs if "source" in fields), "")
    texts: dict[str, str] = {}
    stanzas = []
    for fields in paragraphs:
        name, _, body = fields.get("license", "").partition("\n")
        if body.strip():
            texts.setdefault(name.strip(), body)
        if "files" in fields and "license" in fields:
            stanzas.append((fields["files"].split(), name.strip()))
    if not any("*" in globs for globs, _ in stanzas):
        name = recognise(text)
        return DebianCopyright(name, text[:1500], lambda path: True, not names_copyleft(text), False) if name else None
    named = {name: _taken_name(name, texts.get(name, "")) for _, name in stanzas}
    patterns = [(re.compile("|".join(fnmatch.translate(glob) for glob in globs)), name) for globs, name in stanzas]

    def allows_file(path: str) -> bool:
        decided = ""
        for pattern, name in patterns:
            if pattern.match(path):
                decided = named[name]
        return allows(decided)

    whole = next(named[name] for globs, name in stanzas if "*" in globs)
    upstream = [named[name] for globs, name in stanzas if not all(glob.startswith("debian/") for glob in globs)]
    return DebianCopyright(whole, source, allows_file, all(map(allows, upstream)), True)


def _taken_name(name: str, text: str) -> str:
    """Return a licence's name, or, where the name is a package's own, what its text is recognised as."""
    if allows(name) or _REFUSED.search(name):
        return name
    return recognise(text) or name


def _fields(paragraph: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        match = re.match(r"([A-Za-z-]+):\s*(.*)", line)
        if match and not line[:1].isspace():
            name = match[1].lower()
            fields[name] = match[2]
        elif name:
            fields[name] += "\n" + line.strip()
    return fields
