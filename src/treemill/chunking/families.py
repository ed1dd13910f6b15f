"""Families of languages: what the lines look like at which a file of that family may be cut.

A family is told by two kinds of lines. A *head* opens something of its own at the left margin: a definition, a
section, a record. A *part* opens something inside it: a method, a nested block, a list item. Everything else is the
same for all families, from the best place to cut to the worst:

    1  a head
    2  a line at the left margin behind blank lines, unless it closes something
    3  a part
    4  any line behind blank lines
    5  a line at the left margin, unless it closes something

`boundaries` makes one expression of that. Text here may come from anyone, so no expression can run away: each is tried
once a line, repetitions are possessive or bounded, and none is nested in another over the same characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from treemill.values import dataclass

LOOKAHEAD = 256
"""No expression of a family needs to see more than this many bytes behind the start of a line."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family, in verbose regular expressions that are tried at the start of a line.

    `definitions` are words that open a definition, behind any number of `modifiers`: at the left margin it is a head,
    up to eight columns further in a part. `head` and `part` are expressions for what else is one. `leads` are
    comment marks and annotations: a cut in front of a head or part is moved in front of the lines right above it that
    begin so.
    """

    definitions: str = ""
    modifiers: str = ""
    head: str = ""
    part: str = ""
    leads: tuple[bytes, ...] = ()
    ignore_case: bool = False


_OPENS_BRACE = r"[^\s})\]/{*] [^;\n]{0,200} \{ [ \t\r]*+ $"
_BRANCHES = r"(?: if | else | for | foreach | while | switch | try | catch | do | when | case | match | select )\b"
_CLOSERS = r"[})\]] | \*/ | (?: end | else | elsif | elif | fi | done | esac | except | finally )\b"

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "brace": Family(
            definitions="class struct enum interface trait impl module namespace func function fn fun def sub type"
            " typedef union record protocol extension contract library message service resource rule package mixin"
            " macro macro_rules template object actor schema query mutation subscription fragment input scalar"
            " directive provider variable output locals method task workflow theorem kernel server location upstream"
            " node define proc predicate grammar token constructor destructor event error modifier using import"
            " annotation concept trigger @interface @implementation @protocol @property @media @mixin @function"
            " @keyframes BEGIN END",
            modifiers="public private protected internal static abstract override virtual async export pub sealed open"
            " final extern inline unsafe default declare partial external local native suspend shared synchronized"
            " readonly const data inner lazy implicit case multi proto",
            head=rf"{_OPENS_BRACE} | \#pragma"
            r" | (?: public | private | protected | static | export | extern | inline | pub )\b",
            part=rf"[ \t]{{1,8}}+ (?: (?!{_BRANCHES}) {_OPENS_BRACE}"
            r" | (?: public | private | protected | internal | static | abstract | override | virtual | pub )\b )",
            leads=(b"//", b"/*", b"*", b"#", b"@", b"[", b"--", b'"""', b"template"),
        ),
        "end": Family(
            definitions="function procedure subroutine program module package def defp defmodule defmacro defimpl class"
            " interface struct enum type record entity architecture task begin implementation unit library sub property"
            " namespace macro alias test describe context feature component process protected generate covergroup"
            " primitive actor trait fun be new data proc initialization augroup autocmd command",
            modifiers="public private protected pure elemental impure recursive local export static async abstract"
            " default",
            leads=(b"#", b"--", b"!", b"'", b"%", b"//", b"(*", b"@", b"*"),
            ignore_case=True,
        ),
        "indent": Family(
            definitions="def class func proc method template macro iterator converter type const var let enum struct"
            " trait fn signal extends class_name rule checkpoint mixin include block load",
            modifiers="pub export async static abstract final private remote cdef cpdef",
            head=r"@[\w.]",
            part=r"[ \t]{1,8}+ @[\w.]",
            leads=(b"#", b"@", b"//", b"-#"),
        ),
        "lisp": Family(
            head=r"\( (?: def | module | ns | declaim | in-package | use-modules | provide | require )",
            part=r"[ \t]{0,4}+ \(",
            leads=(b";", b"#"),
        ),
        "ml": Family(
            definitions="let and type module open exception class instance data newtype val external include structure"
            " signature functor fun datatype infix infixl infixr import namespace theorem lemma def example inductive"
            " definition fixpoint record mutual postulate variable section end axiom foreign port effect member"
            " abstract",
            modifiers="private public protected noncomputable partial static override inline rec",
            head=r"\w{1,80}+ [ \t]++ ::? [ \t]",
            leads=(b"--", b"{-", b"(*", b"//", b"[<", b"@", b"|"),
        ),
        "clause": Family(
            head=r"-[a-z]{2,40}+ \( | :- | %{2,3}+ [ \t=]",
            part=r"[a-z] [\w']{0,80}+ [ \t]*+ (?: \( | :- | --> | \. )",
            leads=(b"%", b"-spec", b"/*", b"*"),
        ),
        "assembly": Family(
            head=r"define | declare | \.method | \.globl | \.global | \.section | \.func | \.entry | [\w$?@.]{1,80}+ :",
            part=r"[ \t]++ \. (?: globl | global | section | type | func | p2align | align )\b",
            leads=(b";", b"#", b"//", b"/*", b"*", b"@"),
        ),
        "markup": Family(
            head=r"\#{1,6}+ [ \t] | ={1,6}+ [ \t]?+ \w | \*{1,6}+ [ \t] \w | h[1-6]\."
            r" | \. (?: SH | TH | SS | Sh | Ss | Dd )\b"
            r" | @ (?: node | chapter | section )\b"
            r" | \\ (?: part | chapter | section | subsection | subsubsection | begin\{document | appendix )\b"
            r" | [^\s=~^*+\#\"'-] [^\n]{0,120}+ \n (?: ={3} | -{3} | ~{3} | \^{3} | \*{3} | \"{3} | \+{3} )",
            part=r"\.\.[ \t] | ``` | ~~~ | -{3,}+ \r?$ | ={4} | -{4} | [-*+] [ \t]"
            r" | @ (?: item | defun | deftypefun | subsection )\b | \\ (?: begin | paragraph | item )\b",
            leads=(b"..", b"[[", b"[", b"<!--", b'.\\"', b"%"),
        ),
        "text": Family(
            head=r"[0-9]{1,4} \. [ \t] | @\w | ={3} | BEGIN: | \#{2,3}+ | [A-Z] [A-Z ]{3,60}+ \r?$",
            part=r"[-*+] [ \t] | [0-9]{1,4} \)",
            leads=(b"#", b";", b"%"),
        ),
        "template": Family(
            head=r"< (?: template | script | style | section | article | main | body | head | footer | nav | form"
            r" | table | div | cf | xsl: | data ) | \{%-? [ \t]*+ (?: block | macro | extends | import ) | <% | ---"
            r" | @ (?: section | page | code | functions | if | foreach )",
            part=r"[ \t]{0,8}+ (?: <[A-Za-z!?] | \{[%\#{/] )",
            leads=(b"<!--", b"{#", b"{{!", b"<%#", b"<%--"),
        ),
        "section": Family(head=r"\[ | \*{3} [ \t]", leads=(b"#", b";")),
        "rule": Family(
            definitions="define build rule pool ifdef ifndef ifeq ifneq include",
            head=r"[^\s\#:=]{1,120}+ [^\n:=\#]{0,80}+ : (?!=)",
            part=r"[\w.-]{1,80}+ [ \t]*+ [:?+!]?=",
            leads=(b"#", b".PHONY"),
        ),
        "command": Family(
            definitions="create alter drop insert update delete select with grant commit declare from function macro"
            " if foreach project add_library add_executable add_subdirectory install target_link_libraries feature"
            " scenario background rule examples digraph subgraph menu config choice class interface form method"
            " report data program def python %package %description %prep %build %install %check %files %changelog"
            " %post subdir executable library dependency perform copy run env entrypoint cmd workdir <virtualhost"
            " <directory <location <ifmodule",
            head=r":\w | @\w | [ ]{7} [A-Z] [\w-]{1,60}+ [ ] (?: division | section )",
            leads=(b"#", b"--", b"//", b"/*", b"*", b"@", b"rem", b"REM", b"::"),
            ignore_case=True,
        ),
        "diff": Family(
            head=r"diff[ ] | Index:[ ] | From[ ] | ---[ ] [^\n]{1,200}+ \n \+{3}",
            part=r"@@[ ]",
            leads=(b"index ", b"====="),
        ),
        "json": Family(
            head=r"(?: [ ]{0,2}+ | \t ) \" [^\n]{0,200} [{\[] [ \t\r]*+ $ | \{",
            part=r"[ \t]{0,6}+ [\"{\[]",
            leads=(b"//", b"#"),
        ),
        "line": Family(),
    }
)
"""The families by the names that `treemill.languages` and custom languages call them."""


@cache
def boundaries(family: str) -> re.Pattern[bytes]:
    """Return the expression for a family's places to cut.

    A match starts at a line feed and ends at the place; its `lastindex` is the rank of the place, 1 the best. Lines
    that are no place do not match. Let it see `LOOKAHEAD` bytes behind the last place that is wanted.
    """
    head, part = _head_and_part(FAMILIES[family])
    blanks, margin = r"(?: [ \t\r]*+ \n )", rf"(?! \s | {_CLOSERS} )"
    places = (
        rf"{blanks}*+ (?={head}) ()",
        rf"{blanks}++ {margin} ()",
        rf"{blanks}*+ (?={part}) ()",
        rf"{blanks}++ ()",
        rf"{margin} ()",
    )
    return re.compile(rf"\n (?: {' | '.join(places)} )".encode(), re.VERBOSE | re.MULTILINE)


def _head_and_part(family: Family) -> tuple[str, str]:
    """Return the two expressions of a family; one that never matches where it has no such lines."""
    heads, parts = [family.head] if family.head else [], [family.part] if family.part else []
    if family.definitions:
        modifiers = rf"(?: {_any_of(family.modifiers)} [ \t]++ )*+" if family.modifiers else ""
        definition = rf"(?= [A-Za-z@%<] ) {modifiers} {_any_of(family.definitions)} \b"
        heads.insert(0, definition)
        parts.insert(0, rf"[ \t]{{1,8}}+ {definition}")
    flag = "i" if family.ignore_case else ""
    head, part = (" | ".join(each) if each else "(?!)" for each in (heads, parts))
    return f"(?{flag}: {head} )", f"(?{flag}: {part} )"


def _any_of(words: str) -> str:
    """Return an expression for one of these words that looks at the first character once for all that share it."""
    rests: dict[str, list[str]] = {}
    for word in words.split():
        rests.setdefault(word[0], []).append(re.escape(word[1:]))
    branches = (f"{re.escape(first)} (?: {' | '.join(rest)} )" for first, rest in rests.items())
    return f"(?: {' | '.join(branches)} )"
