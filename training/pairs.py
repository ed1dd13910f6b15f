"""Make (text, code) pairs from the collected sources, as people ask and as the index sees code.

    python training/pairs.py --work FOLDER

Writes FOLDER/pairs.jsonl.gz, one definition a line: its code without documentation, its package and language, and the
texts that lead to it, each with its kind:

    doc        the first sentence of its documentation, its own name taken off the front
    more       the sentence behind it
    comment    a comment inside its body, taken out of the code
    name       the words of its name (and of what it stands in); the name is masked in the code
    test       what a test says it shows
    change     a line of a changelog that names it
    file       the words of its file's path, for the largest definition of a file
    heading    a documentation heading and sentence, for the code block below it

FOLDER/pairs.json counts them, FOLDER/used.json by package.

The packages of `heldout.json` are set aside: FOLDER/heldout.jsonl.gz and FOLDER/validation.jsonl.gz hold every function
of theirs, and no pair has their code or their queries. `--draw` makes that file, by its seed, and refuses to make
it twice.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "src"))

from extract import Declaration, Definition, definitions  # noqa: E402
from registries import MOST_BYTES_OF_A_PACKAGE, TAUGHT  # noqa: E402
from texts import is_question_material, prose, sentences, without_own_name, words_of_name  # noqa: E402

from treemill.languages import language_of_name  # noqa: E402

Record = dict[str, Any]

SEED = 20261123
LONGEST_CODE = 2400
SHORTEST_CODE = 60
# At most this many definitions of a package, documented ones first: one giant must not set the language's tone.
MOST_OF_A_PACKAGE = 2500
# Which of a package's bytes are parsed for pairs: enough for that many definitions. Packages held out are read whole.
MOST_PARSED_BYTES = 2_500_000
# A text that documents more definitions than this says nothing about any of them.
MOST_REPEATS = 3

_COMMENT_LINE = re.compile(r"^[ \t]*(?://+|#+(?![!\[])|--)[ \t]?(.*)$", re.MULTILINE)
_TEST_CALL = re.compile(r"\b(?:it|test|describe|specify|scenario|should)\s*\(?\s*([\"'`])(.{12,120}?)\1\s*,?")
_WORDS = re.compile(r"[A-Za-z_]\w+")
_BLOCK = re.compile(r"^(```|~~~)[ \t]*([\w+-]*)[^\n]*\n(.*?)^\1", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Draw the packages to hold out, or make the pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--draw", action="store_true", help="draw the packages to hold out, once")
    parser.add_argument("--parse", action="store_true", help="only prepare what is there, for a later run")
    arguments = parser.parse_args()
    _prepare_all(arguments.work)
    if arguments.parse:
        return
    if arguments.draw:
        _draw(arguments.work)
    else:
        _make(arguments.work)


def _packages(work: Path) -> list[tuple[str, Path]]:
    folders = sorted(folder for registry in sorted((work / "sources").iterdir()) for folder in registry.iterdir())
    return [
        (f"{folder.parent.name}:{folder.name.replace('+', '/', 1)}", folder)
        for folder in folders
        if not folder.name.startswith(".")
    ]


def _prepare_all(work: Path) -> None:
    """Parse the packages that are not parsed yet and make their texts, on every core; what judges comes first."""
    todo = [(package, folder) for package, folder in _packages(work) if not _is_prepared(work, package, folder)]
    todo.sort(key=lambda item: (item[0] not in _judges(), content_hash(item[0])))
    with ProcessPoolExecutor() as pool:
        running = [pool.submit(_prepare, work, package, folder) for package, folder in todo]
        for done in running:
            done.result()
    print(f"prepared {len(todo)} packages", flush=True)


def _kept(work: Path, stage: str, folder: Path) -> Path:
    return work / stage / f"{folder.parent.name}+{folder.name}.jsonl.gz"


def _is_prepared(work: Path, package: str, folder: Path) -> bool:
    return _kept(work, "records" if package in _judges() else "texted", folder).exists()


def _prepare(work: Path, package: str, folder: Path) -> None:
    records = records_of(work, package, folder)
    if package not in _judges():
        _keep(_kept(work, "texted", folder), _with_texts(records, package, folder))


def _keep(path: Path, records: list[Record]) -> None:
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    _write(part, records)
    part.rename(path)


def _read(path: Path) -> list[Record]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def records_of(work: Path, package: str, folder: Path) -> list[Record]:
    """Return a record for each definition of a package, by file and position; parsed once, then kept under FOLDER."""
    kept = _kept(work, "records", folder)
    if not kept.exists():
        _keep(kept, _parse_package(package, folder))
    return _read(kept)


def _parse_package(package: str, folder: Path) -> list[Record]:
    declared: dict[str, str] = {}
    records: list[Record] = []
    for path in _sources(folder, MOST_BYTES_OF_A_PACKAGE if package in _judges() else MOST_PARSED_BYTES):
        language = language_of_name(path.name) or ""
        name = path.relative_to(folder).as_posix()
        for found in definitions(path.read_bytes(), language):
            if isinstance(found, Declaration):
                declared[found.name] = "" if found.name in declared else found.doc
                continue
            record = _record(found, language, package, name)
            if record is not None:
                records.append(record)
    counts = Counter(record["name"] for record in records)
    for record in records:
        if not record["doc"] and counts[record["name"]] == 1 and declared.get(record["name"]):
            record["doc"] = declared[record["name"]]
    return records


def _judges() -> set[str]:
    """Return the packages that were drawn to judge."""
    drawn = json.loads((HERE / "heldout.json").read_text()) if (HERE / "heldout.json").exists() else {}
    return {*drawn.get("heldout", ()), *drawn.get("validation", ())}


def _sources(folder: Path, most: int) -> list[Path]:
    """Return a package's source files in order of path, drawn by hash up to that many bytes."""
    paths = [path for path in folder.rglob("*") if language_of_name(path.name) in TAUGHT and path.is_file()]
    paths.sort(key=lambda path: hashlib.blake2b(path.relative_to(folder).as_posix().encode()).digest())
    size, taken = 0, []
    for path in paths:
        size += path.stat().st_size
        if size > most:
            break
        taken.append(path)
    return sorted(taken)


def _told_as(language: str | None) -> str:
    """Return the language a record is counted under."""
    return "typescript" if language == "tsx" else language or ""


def _record(found: Definition, language: str, package: str, path: str) -> Record | None:
    code = re.sub(r"\n\s*\n+", "\n", found.code[:LONGEST_CODE]).strip()
    body_words = len(set(_WORDS.findall(code)) - {found.name})
    if len(code) < SHORTEST_CODE or body_words < 4:
        return None
    return {
        "package": package, "language": _told_as(language), "file": path, "name": found.name,
        "kind": found.kind, "parents": found.parents, "code": code, "doc": found.doc, "texts": [],
    }  # fmt: skip


def _texts(record: Record) -> None:
    """Fill in the texts that lead to a definition, and take its comments out of the code where they are a text."""
    texts: list[tuple[str, str]] = record["texts"]
    said = sentences(prose(record.pop("doc")))
    for kind, sentence in zip(("doc", "more"), said, strict=False):
        sentence = without_own_name(sentence, record["name"])
        if is_question_material(sentence) and (kind == "doc" or len(sentence.split()) >= 5):
            texts.append((kind, sentence))
    if record["kind"] == "function" and len(record["code"]) > 200:
        _take_comment(record)
    names = words_of_name(record["name"])
    if "test" in record["file"].lower() and len(names) >= 5:
        texts.append(("test", " ".join(word for word in names if word != "test")))
    elif len(names) >= 2 or (record["kind"] == "type" and len(record["name"]) > 5):
        parents = words_of_name(record["parents"][-1]) if record["parents"] and len(names) < 3 else []
        texts.append(("name", " ".join([*parents, *names])))


def _take_comment(record: Record) -> None:
    for match in _COMMENT_LINE.finditer(record["code"]):
        comment = match[1].strip()
        if len(comment.split()) >= 4 and is_question_material(comment) and not re.search(r"[;{}=<>]|\(\)", comment):
            record["texts"].append(("comment", comment))
            record["code"] = record["code"][: match.start()] + record["code"][match.end() :]
            return


def _file_texts(records: list[Record]) -> None:
    """Give the largest definition of each file the words of the file's path as a text."""
    largest: dict[str, Record] = {}
    for record in records:
        if len(record["code"]) > len(largest.get(record["file"], {"code": ""})["code"]):
            largest[record["file"]] = record
    for path, record in largest.items():
        parts = [
            part
            for part in path.rsplit(".", 1)[0].split("/")[-2:]
            if part not in ("src", "lib", "index", "main", "__init__", "mod")
        ]
        words = [word for part in parts for word in words_of_name(part)]
        if len(words) >= 2 and len(record["code"]) > 300:
            record["texts"].append(("file", " ".join(words)))


def _change_texts(records: list[Record], folder: Path) -> None:
    """Give definitions the lines of the changelog that name them."""
    by_name: dict[str, Record | None] = {}
    for record in records:
        by_name[record["name"]] = None if record["name"] in by_name else record
    for path in folder.rglob("*"):
        if path.is_file() and re.match(r"(change|history|news|release)", path.name, re.IGNORECASE):
            for line in path.read_text(errors="replace").splitlines():
                line = re.sub(r"\(?#\d+\)?|\[[^\]]*\]|by @\w+", " ", line.strip(" *-+•")).strip()
                for name in re.findall(
                    r"`+:?(?:\w+:)?~?([\w.:]{4,})(?:\(\))?`+|\b([a-z]+_[a-z_]+|[a-z]+[A-Z]\w+)\b", line
                ):
                    record = by_name.get(re.split(r"[.:]+", name[0] or name[1])[-1])
                    text = line.replace("`", "")
                    if record is not None and len(record["texts"]) < 6 and is_question_material(text):
                        record["texts"].append(("change", text))


def _heading_records(package: str, folder: Path) -> Iterator[Record]:
    """Yield records made from the code blocks of documentation, with the heading and sentence above each."""
    for path in sorted(folder.rglob("*.md"))[:60]:
        text = path.read_text(errors="replace")
        for match in _BLOCK.finditer(text):
            language = language_of_name(f"x.{match[2]}") or match[2].lower()
            code = match[3].strip()[:LONGEST_CODE]
            above = text[: match.start()]
            headings = re.findall(r"^#{1,4} +(.+)$", above[-6000:], re.MULTILINE)
            paragraph = re.split(r"\n\s*\n", above.strip())[-1]
            said = sentences(prose(paragraph if not paragraph.startswith("#") else ""))
            texts = []
            if said and is_question_material(said[0]):
                texts.append(("heading", said[0]))
            if headings and 2 <= len(headings[-1].split()) <= 9 and headings[-1].isascii():
                texts.append(("heading", headings[-1].strip("# `*")))
            if texts and len(code) > SHORTEST_CODE and language in TAUGHT:
                yield {
                    "package": package, "language": _told_as(language), "kind": "example",
                    "file": path.relative_to(folder).as_posix(), "name": "", "parents": [], "code": code,
                    "texts": texts,
                }  # fmt: skip


def _test_records(package: str, folder: Path) -> Iterator[Record]:
    """Yield records made from tests whose names are sentences, in languages that write them as strings."""
    for path in sorted(folder.rglob("*")):
        language = language_of_name(path.name)
        if language not in ("javascript", "typescript", "tsx", "ruby", "kotlin", "elixir", "lua") or not path.is_file():
            continue
        if not re.search(r"test|spec", path.as_posix(), re.IGNORECASE):
            continue
        text = path.read_text(errors="replace")
        found = list(_TEST_CALL.finditer(text))
        for match, after in zip(found, [*found[1:], None], strict=False):
            code = text[match.end() : after.start() if after else None][:1200].strip()
            if is_question_material(match[2]) and len(set(_WORDS.findall(code))) >= 8:
                yield {
                    "package": package, "language": _told_as(language), "kind": "test",
                    "file": path.relative_to(folder).as_posix(), "name": "", "parents": [], "code": code,
                    "texts": [("test", match[2])],
                }  # fmt: skip


def content_hash(code: str) -> str:
    """Return a hash of code that ignores blanks."""
    return hashlib.blake2b(re.sub(r"\s+", "", code).encode(), digest_size=12).hexdigest()


def likeness(code: str) -> str:
    """Return a key that near copies share: the twelve smallest hashes of the distinct words."""
    hashes = sorted(hashlib.blake2b(word.encode(), digest_size=6).digest() for word in set(_WORDS.findall(code)))
    return b"".join(hashes[:12]).hex()


def _draw(work: Path) -> None:
    """Draw the packages to hold out and to validate on, and write them down with the seed and the rule."""
    target = HERE / "heldout.json"
    if target.exists():
        sys.exit(f"{target} is there already: what is held out was drawn before training and stays")
    manifest = json.loads((HERE / "manifest.json").read_text())["packages"]
    eligible: dict[str, list[str]] = defaultdict(list)
    for package, folder in _packages(work):
        if manifest[package]["bytes"] >= MOST_BYTES_OF_A_PACKAGE:
            continue
        records = records_of(work, package, folder)
        queries = [record for record in records if is_query(record)]
        languages = Counter(record["language"] for record in queries).most_common(1)
        if languages and 250 <= len(queries) <= 2500 and languages[0][1] > 0.85 * len(queries):
            eligible[languages[0][0]].append(package)
    chooser = random.Random(SEED)
    drawn: dict[str, list[str]] = {"heldout": [], "validation": []}
    for language in sorted(eligible):
        packages = sorted(eligible[language])
        if len(packages) >= 5:
            first, second = chooser.sample(packages, 2)
            drawn["heldout"].append(first)
            drawn["validation"].append(second)
    rule = (
        "For each language in alphabetical order with at least five packages of 250 to 2,500 documented functions,"
        " over 85 % of them in that language and taken whole: random.Random(seed).sample(sorted(packages), 2), the"
        " first held out, the second for validation."
    )
    counts = {language: len(packages) for language, packages in sorted(eligible.items())}
    target.write_text(json.dumps({"seed": SEED, "rule": rule, "eligible": counts, **drawn, "kin": []}, indent=1) + "\n")
    print(target.read_text())


def is_query(record: Record) -> bool:
    """Tell whether a function's documentation makes a query of the evaluation; its text is `query_of`."""
    return record["kind"] == "function" and "test" not in record["file"].lower() and bool(query_of(record))


def query_of(record: Record) -> str:
    """Return the first sentence of a function's documentation without the function's own name, or ""."""
    said = sentences(prose(record["doc"])) if record["doc"] else []
    sentence = without_own_name(said[0], record["name"]) if said else ""
    return sentence if is_question_material(sentence) and len(sentence.split()) >= 4 else ""


def _write(path: Path, records: list[Record]) -> None:
    with gzip.open(path, "wt", compresslevel=1) as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _set_aside(work: Path, packages: dict[str, Path]) -> tuple[set[str], set[str]]:
    """Write the functions of the packages held out; return the hashes and texts that no pair may have."""
    drawn = json.loads((HERE / "heldout.json").read_text())
    hashes: set[str] = set()
    texts: set[str] = set()
    for part in ("heldout", "validation"):
        kept = []
        for package in drawn[part]:
            seen: set[str] = set()
            for record in records_of(work, package, packages[package]):
                hashes.update((content_hash(record["code"]), likeness(record["code"])))
                if record["kind"] != "function" or content_hash(record["code"]) in seen:
                    continue
                seen.add(content_hash(record["code"]))
                query = query_of(record) if is_query(record) else ""
                texts.add(query.lower())
                kept.append({**record, "doc": "", "query": query})
        _write(work / f"{part}.jsonl.gz", kept)
        print(f"{part}: {len(kept):,} functions, {sum(bool(record['query']) for record in kept):,} queries", flush=True)
    return hashes, texts - {""}


def _make(work: Path) -> None:
    packages = dict(_packages(work))
    drawn = json.loads((HERE / "heldout.json").read_text())
    hashes, queries = _set_aside(work, packages)
    kept: list[Record] = []
    aside = {*drawn["heldout"], *drawn["validation"], *drawn["kin"]}
    for package, folder in packages.items():
        if package in aside:
            continue
        fresh = _fresh(work, folder, hashes)
        kept += fresh
        print(
            f"{package}: {len(fresh):,} definitions, {sum(len(record['texts']) for record in fresh):,} texts",
            flush=True,
        )
    repeats = Counter(text.lower() for record in kept for _, text in record["texts"])
    for record in kept:
        record["texts"] = [
            (kind, text)
            for kind, text in dict.fromkeys(map(tuple, record["texts"]))
            if repeats[text.lower()] <= MOST_REPEATS and text.lower() not in queries
        ]
    kept = [record for record in kept if record["texts"]]
    _write(work / "pairs.jsonl.gz", kept)
    _report(work, kept)


def _with_texts(records: list[Record], package: str, folder: Path) -> list[Record]:
    """Return the records that have texts, examples and tests among them."""
    for record in records:
        _texts(record)
    _file_texts(records)
    _change_texts(records, folder)
    records += [*_heading_records(package, folder), *_test_records(package, folder)]
    return [record for record in records if record["texts"]]


def _fresh(work: Path, folder: Path, hashes: set[str]) -> list[Record]:
    """Return a package's records whose code is nowhere in `hashes`, and add theirs."""
    fresh = []
    for record in _read(_kept(work, "texted", folder)):
        keys = (content_hash(record["code"]), likeness(record["code"]))
        if hashes.isdisjoint(keys):
            hashes.update(keys)
            fresh.append(record)
    if len(fresh) > MOST_OF_A_PACKAGE:
        places = sorted(range(len(fresh)), key=lambda i: (_rank(fresh[i]), content_hash(fresh[i]["code"])))
        fresh = [fresh[i] for i in sorted(places[:MOST_OF_A_PACKAGE])]
    return fresh


def _rank(record: Record) -> int:
    """Order records by what they teach: documented first, tests behind the program, bare names last."""
    kinds = {kind for kind, _ in record["texts"]}
    if "test" in record["file"].lower():
        return 2 if kinds - {"name", "file"} else 4
    return 0 if "doc" in kinds else 1 if kinds - {"name", "file"} else 3


def _report(work: Path, kept: list[Record]) -> None:
    by_language: Counter[str] = Counter()
    by_kind: Counter[str] = Counter()
    for record in kept:
        by_language[record["language"]] += len(record["texts"])
        by_kind.update(kind for kind, _ in record["texts"])
    report = {
        "packages": len({record["package"] for record in kept}),
        "definitions": len(kept),
        "pairs": sum(by_kind.values()),
        "by_language": dict(by_language.most_common()),
        "by_kind": dict(by_kind.most_common()),
    }
    (work / "pairs.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    pairs = Counter[str]()
    for record in kept:
        pairs[record["package"]] += len(record["texts"])
    (work / "used.json").write_text(json.dumps(dict(sorted(pairs.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
