"""The words of the command line, and the help that teaches them by example."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence

from treemill._version import __version__
from treemill.choices import CLUSTER_FILES, EXECUTORS, FILE_KINDS
from treemill.cli.commands import EXIT_CODES as _EXIT_CODES
from treemill.cli.commands import Commands
from treemill.cli.commands import add_command as _add
from treemill.cli.door_arguments import DOORS, add_doors
from treemill.cli.fleet_arguments import add_fleet

_TOP = f"""\
examples:
  treemill search "where are retries decided"       ask about the code in this folder
  treemill search QuerySet ~/src/django -k 3        find a definition
  treemill index                                    bring the index up to date
  treemill watch                                    keep it so while the folder changes
  treemill status                                   what is indexed, and how much of it
  treemill why build/app.js                         why a file is not in the index

{_EXIT_CODES}"""

_SEARCH = f"""\
Indexes the folder first if that has not been done, and looks at what changed since, unless --no-update.

examples:
  treemill search "parse the config file"           by words and what they mean together
  treemill search HttpRequest.build_absolute_uri    by the name of a definition
  treemill search retry src --lang python -k 20     below a folder, in one language
  treemill search retry --json | jq .results        for programs
  treemill search retry --changed-since 2d          in what changed; --kind tests: in tests
  treemill search retry ~/src/app ~/src/lib         in several folders, best first
  treemill search -e 'raise \\w+Error' src -C 2      lines that match a regular expression

{_EXIT_CODES}"""

_RELATED = f"""\
examples:
  treemill find-related src/app/retry.py:40         what does something like the code at that line

{_EXIT_CODES}"""

_INDEX = f"""\
Only what changed is read again. The index is in .treemill/ in the folder; what git ignores, hidden files and folders
that tools generate are left out, .treemillignore leaves out more or (with !) brings back.

examples:
  treemill index                                    this folder, or the indexed folder above it
  treemill index ~/src/app --workers 2 -v           say what is done with each file
  treemill index --rebuild                          from nothing, beside the old one
  treemill index --report run.html                  and a page about where the time went

{_EXIT_CODES}"""

_WATCH = f"""\
The index is never more than a second behind a folder at rest. Another watch of the same folder stands by, and takes
over when this one ends. Ctrl-C ends it.

examples:
  treemill watch                                    this folder, or the indexed folder above it
  treemill watch ~/src/app ~/src/lib                several
  treemill watch --json | jq .event                 for programs: one event a line

{_EXIT_CODES}"""

_CONFIG = f"""\
Secrets are shown as "set" or "not set". Without --check nothing is sent anywhere.

examples:
  treemill config                                   what holds in this folder, and who said so
  treemill config --check                           does the embedding provider answer
  $EDITOR "$(treemill config --file)"               change your own settings

{_EXIT_CODES}"""

_CHUNK = f"""\
Folders are walked as `index` walks them; files that are named are taken as they are. Nothing is stored.

examples:
  treemill chunk src                                each chunk under its place, kind and name
  treemill chunk src --jsonl | jq -r .symbol        for programs: one JSON object a line, as they come
  treemill chunk a.py b.go --ordered                file by file in the order given

{_EXIT_CODES}"""


_DOCTOR = f"""\
Reads every row and every segment of the index and every file that it takes for unchanged; nothing is changed unless
--repair is given. Exits with 6 if something that could make an answer wrong or a run fail is found and not repaired.

examples:
  treemill doctor                                   what is wrong, each in a sentence
  treemill doctor --repair && treemill index        make it right, then read again what had to be forgotten

{_EXIT_CODES}"""


_TRANSFER = f"""\
An export holds what parsing found, under digests of the bytes: neither source nor paths. Importing reads every file of
the folder; what the export says of exactly those bytes is taken, everything else is parsed.

examples:
  treemill export app.treemill                      on the machine that has an index
  treemill import app.treemill                      on one that has the files
  treemill export s3://team/code/app                publish a version; the newest counts
  treemill import s3://team/code/app                take the one that counts
  treemill import app.treemill --trust              words and vectors too, from a machine of yours

{_EXIT_CODES}"""


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments; prints and exits on --help, --version, and on words that make no sense (code 2)."""
    # To make the parsers of all commands takes as long as to answer a small question.
    parser = command_line(words[0] if words and any(words[0] in names for names in _ADDING) else None)
    arguments, rest = parser.parse_known_args(words)
    # argparse takes all positional words at the first of them; folders may as well stand behind options.
    if rest and arguments.command == "search" and not any(word.startswith("-") for word in rest):
        arguments.paths += rest
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return arguments


def command_line(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line; of one command alone, where that is known."""
    parser = argparse.ArgumentParser(
        prog="treemill",
        description="Turn source trees into a searchable index, and ask it about the code.",
        epilog=_TOP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"treemill {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for names, add in _ADDING.items():
        if command is None or command in names:
            add(commands)
    return parser


def _index(commands: Commands) -> None:
    command = _add(commands, "index", "bring the index of a folder up to date", _INDEX)
    command.add_argument("path", nargs="?", default=".", help="the folder (default: this one)")
    _working(command)
    _stored(command)
    command.add_argument(
        "--rebuild", action="store_true", help="build the index anew and put it in the old one's place"
    )
    command.add_argument("--retry", action="store_true", help="try files again that failed or were skipped")
    command.add_argument("--wait", action="store_true", help="wait for another process that is indexing")
    command.add_argument("--strict", action="store_true", help="exit with 8 if files were skipped or failed")
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.add_argument(
        "--report", metavar="FILE.html", help="write a page about the run: timeline, throughput, failures"
    )


def _watch(commands: Commands) -> None:
    command = _add(commands, "watch", "keep the index of folders up to date while they change", _WATCH)
    command.add_argument("paths", nargs="*", default=["."], metavar="PATH", help="the folders (default: this one)")
    command.add_argument("--json", action="store_true", help="print one event a line on standard output")
    command.add_argument("--poll", action="store_true", help="look again and again, instead of using file events")
    _working(command)


def _search(commands: Commands) -> None:
    command = _add(commands, "search", "ask about the code in a folder", _SEARCH)
    command.add_argument("query", help="a question, a name, or words")
    command.add_argument("paths", nargs="*", metavar="path", help="the folders to answer for (default: this one)")
    command.add_argument("--offset", type=int, default=0, metavar="N", help="leave out the first N places")
    command.add_argument("--per-file", type=int, metavar="N", help="at most N places of one file (default: 1)")
    command.add_argument("--lang", action="append", default=[], metavar="NAME", help="only files of this language")
    command.add_argument("--include", "--path", action="append", default=[], metavar="GLOB", help="only these files")
    command.add_argument("--exclude", action="append", default=[], metavar="GLOB", help="not these files")
    command.add_argument(
        "--kind", action="append", default=[], choices=FILE_KINDS, help="only files of this kind; may be repeated"
    )
    command.add_argument(
        "--changed-since", metavar="WHEN", help="only files changed since: 3h, 2d, 2026-05-01, or a git revision"
    )
    command.add_argument("--all", action="store_true", help="show all places of a file, not the best one alone")
    command.add_argument("-C", "--context", type=int, default=0, metavar="N", help="show N lines more on both sides")
    command.add_argument("--max-tokens", type=int, metavar="N", help="end the answer at about N tokens of a model")
    how = command.add_mutually_exclusive_group()
    how.add_argument("-e", "--regex", action="store_true", help="the query is a regular expression (RE2)")
    how.add_argument("--symbol", action="store_true", help="the query is the name of a definition")
    _answering(command)
    _stored(command)
    _working(command)


def _related(commands: Commands) -> None:
    command = _add(commands, "find-related", "find code like that at a place", _RELATED)
    command.add_argument("place", metavar="FILE[:LINE]", help="a file, and the line to start from")
    _answering(command)
    _stored(command)
    _working(command)


def _status(commands: Commands) -> None:
    command = _add(commands, "status", "say what is indexed, and how much of it")
    command.add_argument("path", nargs="?", default=".", help="the folder (default: this one)")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    _stored(command)


def _why(commands: Commands) -> None:
    command = _add(commands, "why", "say whether a file is in the index, and why")
    command.add_argument("file", help="the file")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    _stored(command)


def _chunk(commands: Commands) -> None:
    command = _add(commands, "chunk", "print the chunks of files and folders", _CHUNK)
    command.add_argument("paths", nargs="+", metavar="PATH", help="files and folders")
    command.add_argument("--jsonl", action="store_true", help="print one JSON object a line for each chunk")
    command.add_argument("--ordered", action="store_true", help="keep the order of the files (default: as they come)")
    size = command.add_mutually_exclusive_group()
    size.add_argument("--max-bytes", type=int, metavar="N", help="the most bytes of a chunk (default: 1800)")
    size.add_argument("--max-characters", type=int, metavar="N", help="the most characters of a chunk instead")
    size.add_argument("--max-tokens", type=int, metavar="N", help="the most tokens of the model instead")
    command.add_argument("--strict", action="store_true", help="exit with 8 if files were skipped or failed")
    _working(command)


def _doctor(commands: Commands) -> None:
    command = _add(commands, "doctor", "check the index and what it depends on", _DOCTOR)
    command.add_argument("path", nargs="?", default=".", help="the folder (default: this one)")
    _stored(command)
    command.add_argument("--repair", action="store_true", help="make right what can be made right")
    command.add_argument("--json", action="store_true", help="print one JSON object")


def _transfer(commands: Commands) -> None:
    command = _add(commands, "export", "write what the index came to into one file for another machine", _TRANSFER)
    command.add_argument("file", help="the file to write; a folder or s3://bucket/prefix: publish there")
    command.add_argument("path", nargs="?", default=".", help="the folder (default: this one)")
    _stored(command)
    command = _add(commands, "import", "index a folder, taking from an export instead of parsing", _TRANSFER)
    command.add_argument("file", help="the export, or where it was published")
    command.add_argument("path", nargs="?", default=".", help="the folder (default: this one)")
    command.add_argument(
        "--trust", action="store_true", help="take words and vectors too: only from a machine of yours"
    )
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    _stored(command)
    _working(command)


def _clear(commands: Commands) -> None:
    command = _add(commands, "clear", "remove the index of a folder")
    command.add_argument("path", nargs="?", default=".", help="the folder (default: this one)")
    command.add_argument("-y", "--yes", action="store_true", help="do not ask")
    command.add_argument("--cache", action="store_true", help="remove the content cache of this user instead")
    _stored(command)


def _config(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add(commands, "config", "show each setting and where it came from, and which provider embeds", _CONFIG)
    command.add_argument("path", nargs="?", default=".", help="the folder (default: this one)")
    command.add_argument("--check", action="store_true", help="ask the provider for a vector")
    command.add_argument("--file", action="store_true", help="print only where your own settings file is")
    command.add_argument("--json", action="store_true", help="print one JSON object")


def _answering(command: argparse.ArgumentParser) -> None:
    """Add what every command that answers understands."""
    command.add_argument("-k", "--top-k", "--limit", "-m", type=int, metavar="N", help="at most N places (default: 10)")
    command.add_argument("-l", "--files-with-matches", action="store_true", help="print only the names of files")
    command.add_argument("--threshold", type=float, metavar="S", help="leave out places with a score below S")
    command.add_argument("--scores", action="store_true", help="say why each place is here")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument("--jsonl", action="store_true", help="print one JSON object a line for each place")
    command.add_argument("--no-update", action="store_true", help="answer from the index as it is")
    command.add_argument(
        "--no-wait", action="store_true", help="answer at once from what is committed, and index behind"
    )


def _stored(command: argparse.ArgumentParser) -> None:
    """Add what every command that uses an index understands."""
    command.add_argument(
        "--store",
        metavar="URL",
        help="where the index is kept: postgresql://user@host/database (default: in the folder)",
    )
    command.add_argument(
        "--repository", metavar="NAME", help="what the folder is called there (default: its machine and path)"
    )


def _working(command: argparse.ArgumentParser) -> None:
    """Add what every command that works on files understands."""
    command.add_argument(
        "--workers", type=int, metavar="N", help="how many workers (default: 4, at most the processors)"
    )
    command.add_argument("--executor", choices=EXECUTORS, help="what workers are (default: process)")
    command.add_argument("--cluster", metavar="ADDRESS", help="work on this Ray cluster: 10.0.0.1:6379")
    command.add_argument(
        "--cluster-files", choices=CLUSTER_FILES, help="do its nodes see the files, or are they sent (default: auto)"
    )
    command.add_argument("--no-ignore", action="store_true", default=None, help="do not respect ignore files")
    command.add_argument("--hidden", action="store_true", default=None, help="take hidden files too")
    command.add_argument("--no-cache", action="store_true", help="neither use nor fill the user's content cache")
    command.add_argument("-q", "--quiet", action="store_true", help="say nothing but results and errors")
    command.add_argument("-v", "--verbose", action="store_true", help="say what becomes of each file")
    command.add_argument(
        "--progress",
        choices=("auto", "live", "lines", "files", "json", "none"),
        default="auto",
        help="how progress is shown on standard error; json: one event a line (default: what fits)",
    )


def _fleet(commands: Commands) -> None:
    add_fleet(commands, _working, _stored)


_ADDING: Mapping[tuple[str, ...], Callable[[Commands], None]] = {
    ("index",): _index,
    ("watch",): _watch,
    ("search",): _search,
    ("find-related",): _related,
    ("status",): _status,
    ("why",): _why,
    ("chunk",): _chunk,
    ("config",): _config,
    ("doctor",): _doctor,
    ("clear",): _clear,
    ("export", "import"): _transfer,
    ("fleet",): _fleet,
    DOORS: add_doors,
}
"""What adds which commands, in the order in which help lists them."""
