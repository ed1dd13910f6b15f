"""From documentation as it is written to texts as people ask: cleaning, first sentences, questions.

A text goes through `prose` (marks, tags, parameters and examples taken off), `sentences`, and `is_english`; a question
is a phrase in a frame ("where is … handled"), so that the words of asking learn to weigh nothing.
"""

from __future__ import annotations

import re

_MARKS = re.compile(
    r"^[ \t]*(?:/\*\*?!?|\*+/|\*(?!\*)|//[/!]?<?|#+(?!\[)|--+[ \t]*[|^]?!?|;+|\{-\s*\|?|-\}|\(\*\*?|\*\)"
    r"|@doc\b|@moduledoc\b|~S)",
    re.MULTILINE,
)
_TRAILING_MARKS = re.compile(r"(\*+/|-\}|\*\)|\"\"\"|''')\s*$", re.MULTILINE)
_QUOTES = re.compile(r"^\s*[rRuUbBfF]{0,2}(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')\s*$")
_END = re.compile(
    r"(^|\n)\s*(?:[@\\](?:param|return|throws|exception|see|since|author|deprecated|type|example|tparam|retval|note|todo"
    r"|internal|private|public|api|access|var|constructor|class|memberof|function|method|extends|typedef|property"
    r"|template|ingroup|group|covers)|:(?:param|type|return|rtype|raises|arg|keyword|var)|(?:Args|Arguments|Parameters"
    r"|Params|Returns?|Raises|Yields|Examples?|Usage|Notes?|See Also|References|Attributes|Inputs?|Outputs?"
    r"|Keyword Args|Panics|Errors|Safety|Since|Version)\s*:?\s*\n"
    r"|(?:Args|Arguments|Parameters|Returns?|Raises|Yields|Examples?)\s*:"
    r"|>>>|> |\.\. |```|~~~|-{3,}|={3,}|#+ |\* @|<param|<returns|<typeparam|</summary)"
)
_INLINE = [
    (re.compile(r"\{@(?:link|code|linkplain|literal|see|inheritDoc)\s*([^}]*)\}"), r" \1 "),
    (re.compile(r":[a-z:]+:`~?([^`<]+)(?:<[^>]*>)?`"), r"\1"),
    (re.compile(r"!?\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"<see(?:also)? (?:cref|href|langword)=\"(?:[A-Z]:)?([^\"]*)\"\s*/>"), r"\1"),
    (re.compile(r"<paramref name=\"([^\"]*)\"\s*/>"), r"\1"),
    (re.compile(r"</?[A-Za-z][^<>\n]{0,80}>"), " "),
    (re.compile(r"\\(?:brief|short|details|fn|ref|c|a|p|e|em|b)\b"), " "),
    (re.compile(r"@(?:brief|short|details|desc(?:ription)?|summary|method|function|name|(?:file)?overview)\b"), " "),
    (re.compile(r"@(?:ingroup|defgroup)\b"), " "),
    (re.compile(r"https?://\S+"), " "),
    (re.compile(r"[`*_|]{1,3}(?=\S)|(?<=\S)[`*|]{1,3}"), ""),
    (re.compile(r"&(?:lt|gt|amp|nbsp|quot|#\d+);"), " "),
]  # fmt: skip
_RETURN = re.compile(r"(?:[@\\:]returns?:?|<returns>)\s*(?:\{[^}]*\}|\([^)]*\))?\s*([^\n@<]{15,200})")
_BOILERPLATE = re.compile(
    r"copyright|licen[cs]e|all rights reserved|inherit ?doc|see base class|auto-?generated|eslint|prettier|pylint|noqa"
    r"|type: ignore|clang-format|@ts-|istanbul|rubocop|todo|fixme|xxx|noinspection|pragma|shellcheck|constructor\.?$"
    r"|default constructor|deprecated|region|endregion|========|-------|no-op|not implemented|^test\b.{0,12}$"
    r"|internal use only",
    re.IGNORECASE,
)
_COMMON = frozenset(
    (
        "the a an of to in is are and or for with from that this if it be by on as not when return returns get gets set"
        " sets whether all any create creates given into which used use at was has have can will should does do each"
        " value values new only its than then no remove add check object function name file data list called after"
        " before up one"
    ).split()
)
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
_SENTENCE_END = re.compile(r"(?<![eE]\.g)(?<![iI]\.e)(?<!etc)(?<!vs)(?<=[.!?:])\s+(?=[A-Z\"'`(\[])")

FRAMES = (
    "how does {} work", "where is {} handled", "where is {} implemented", "how is {} implemented", "where do we {}",
    "how do I {}", "how to {}", "code that {}", "function that {}", "which part {}", "find the code for {}",
    "what handles {}", "where does it {}", "logic for {}", "implementation of {}", "how are {} handled",
    "where is {} defined", "which class {}", "explain how {}", "what is responsible for {}", "{} implementation",
    "{} logic", "how {} works", "where {} happens",
)  # fmt: skip


def prose(doc: str) -> str:
    """Return the running text of a documentation comment: marks, tags, and all from the first parameter on, removed."""
    text = _MARKS.sub("", doc.strip()).strip()
    text = text.removeprefix("| ").removeprefix("^ ")
    text = _TRAILING_MARKS.sub("", text)
    text = _QUOTES.sub("", text)
    text = re.sub(r"</?summary>|</?remarks>|</?para>", "\n", text)
    returned = _RETURN.search(text)
    end = _END.search(text)
    head = text[: end.start()] if end else text
    if len(head.split()) < 2 and returned:
        head = f"Returns {returned[1]}"
    head = re.split(r"\n\s*\n", head.strip(), maxsplit=2)
    text = " ".join(head[:2])
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    return re.sub(r"\s+", " ", text).strip(" -*#/:=")


def sentences(text: str) -> list[str]:
    """Return the sentences of running text, each without the stop at its end."""
    return [sentence.strip(" .:;-") for sentence in _SENTENCE_END.split(text) if sentence.strip(" .:;-")]


def is_question_material(text: str) -> bool:
    """Tell whether a text is English prose of 3 to 40 words and no boilerplate."""
    words = _WORD.findall(text)
    if not 3 <= len(words) <= 40 or sum(map(len, words)) < 0.6 * len(text.replace(" ", "")):
        return False
    if _BOILERPLATE.search(text) or not text.isascii():
        return False
    return len(words) < 6 or any(word.lower() in _COMMON for word in words)


def without_own_name(sentence: str, name: str) -> str:
    """Take a definition's own name off the front of its documentation, where Go and others put it by convention.

    A name that is a plain verb stays ("Write the header"), unless a verb follows ("Write writes the header").
    """
    match = re.match(rf"`?{re.escape(name)}(?:\(\))?`?\s*[-:,]*\s+(?=(\w*))", sentence)
    if not match or len(sentence) - match.end() <= 12:
        return sentence
    compound = len(words_of_name(name)) > 1
    follows = match[1].endswith("s") or match[1] in ("will", "can", "must", "may", "should")
    return sentence[match.end() :] if follows or compound else sentence


def framed(phrase: str, choice: int) -> str:
    """Put a phrase into one of the frames in which people ask."""
    phrase = phrase[0].lower() + phrase[1:] if phrase[1:2].islower() else phrase
    return FRAMES[choice % len(FRAMES)].format(phrase)


def words_of_name(name: str) -> list[str]:
    """Return the lower-case words of an identifier or a file's name."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", name)]


def masked(code: str, name: str) -> str:
    """Take a name out of code, so that its words have to be told from the rest."""
    return re.sub(rf"\b{re.escape(name)}\b", "_", code)
