"""The house rules that a machine can read: imports go down, none hides, files are short and introduce themselves.

Which module lives on which floor stands in `FLOORS`; a new module needs a line there. A module may import from its own
floor and from those below.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "treemill"

FLOORS = {
    0: {
        "choices",
        "values",
        "sources",
        "types",
        "records",
        "errors",
        "events",
        "reports",
        "languages",
        "flow",
        "native",
        "_version",
    },
    1: {"settings", "layers", "chunking", "plan", "ranking"},
    2: {
        "belonging",
        "discovery",
        "plain_walk",
        "listing",
        "extras",
        "file_events",
        "generated",
        "ignoring",
        "ignore_engine",
        "ignore_hints",
        "ignore_patterns",
        "git",
        "revisions",
        "checkouts",
        "objects",
        "reading",
        "embedding",
        "storage",
        "configuration",
        "listening",
        "wellknown",
        "places",
        "siblings",
        "small_files",
        "stamps",
    },
    3: {
        "freshness",
        "glance",
        "recipes",
        "settled",
        "sight",
        "waiting",
        "preparing",
        "work",
        "cutting",
        "diagnosing",
        "disk_space",
        "transfer",
        "parallel",
        "processing",
        "indexing",
        "rebuilding",
        "starting",
        "checking",
        "searching",
        "watching",
        "hints",
        "cluster",
        "fleet",
        "publishing",
        "library",
        "hosting",
        "texts",
        "agents",
    },
    4: {"adapters", "cli", "mcp", "web", "__main__"},
}

# Who may compile text, which imports nothing: the one who writes `__init__` methods, as the standard library does.
COMPILES = "values.py"

# Who may load modules by name, each from one table: public names, commands, grammars, an optional engine.
LOADERS = {
    "__init__.py",
    "chunking/__init__.py",
    "cli/__init__.py",
    "cli/index.py",
    "cli/mcp.py",
    "cli/answering.py",
    "cli/printing.py",
    "cli/search.py",
    "cli/warming.py",
    "flow/compact_queue.py",
    "ignore_engine.py",
    "ignoring.py",
    "processing/crews.py",
    "searching/answering.py",
    "searching/changed.py",
    "starting.py",
    "storage/sqlite.py",
    "storage/content_cache.py",
    "storage/scanning.py",
    "storage/opening.py",
    "storage/sqlite_snapshot.py",
    "storage/sqlite_writer.py",
    "indexing.py",
    "embedding/static.py",
    "cli/serve.py",
    "chunking/syntax.py",
    "chunking/delimiter.py",
    "embedding/local.py",
    "embedding/registry.py",
    "embedding/tokenizing.py",
    "extras.py",
    "flow/__init__.py",
    "flow/child.py",
    "mcp/server.py",
    "native/__init__.py",
    "cluster/looking.py",
    "configuration.py",
    "layers.py",
    "recipes.py",
    "settled.py",
    "work.py",
}

# Rules are pure. Some are not quite: tree-sitter takes one parser a thread, and a clock and a scale to end a parse.
IMPURE = {"asyncio", "io", "multiprocessing", "os", "shutil", "socket", "sqlite3", "subprocess", "threading", "time"}
IMPURE_ALL_THE_SAME = {
    "chunking/syntax.py": {"threading", "time"},
    "chunking/tree_memory.py": {"threading"},
    "chunking/fixed_size.py": {"os"},  # chunk_file(path) is part of its promised interface
}

LONGEST_FILE = 400

FILES = sorted(PACKAGE.rglob("*.py"))


def short(path: Path) -> str:
    """Return a file's path relative to the package, for tables and test names."""
    return path.relative_to(PACKAGE).as_posix()


every_file = pytest.mark.parametrize("path", FILES, ids=short)


def room(module: str) -> str:
    """Return the first name below the package: "treemill.storage.rows" lives in "storage"."""
    return module.split(".")[1]


def floor_of(name: str) -> int:
    """Return the floor of a room."""
    floors = [floor for floor, rooms in FLOORS.items() if name in rooms]
    assert floors, f"{name} stands on no floor: add it to FLOORS in {Path(__file__).name}"
    return floors[0]


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the absolute name of each module that a file imports, and the line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{short(path)}:{node.lineno} imports relatively"
            if node.module == "treemill":
                yield from ((f"treemill.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield str(node.module), node.lineno


@every_file
def test_imports_go_down(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        return  # the front door names every floor; that it loads none is tested below
    own = floor_of(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
    up = [
        f"line {line}: {module} is on floor {floor_of(room(module))}"
        for module, line in imported(path)
        if module.startswith("treemill.") and floor_of(room(module)) > own
    ]
    assert not up, f"{short(path)} is on floor {own} and reaches up: {up}"
    assert "treemill" not in {module for module, _ in imported(path)}, "import the module that holds the name"


@every_file
def test_no_import_stands_inside_a_function_or_a_class(path: Path) -> None:
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    hidden = {
        node.lineno
        for scope in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(scope, scopes)
        for node in ast.walk(scope)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert not hidden, f"{short(path)} imports inside a scope on lines {sorted(hidden)}"


@every_file
def test_modules_are_loaded_by_name_only_where_the_table_says(path: Path) -> None:
    loads = {"import_module", "__import__", "exec", "eval"} & {
        getattr(node.func, "id", getattr(node.func, "attr", None))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    }
    loads -= {"exec"} if short(path) == COMPILES else set()
    assert not loads - {"import_module"}
    assert bool(loads) == (short(path) in LOADERS)


@every_file
def test_words_need_only_the_standard_library_and_rules_do_no_io(path: Path) -> None:
    name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    outside = {module.split(".")[0] for module, _ in imported(path)} - {"treemill"}
    if path != PACKAGE / "__init__.py" and floor_of(name) == 0:
        assert outside <= sys.stdlib_module_names
    elif path != PACKAGE / "__init__.py" and floor_of(name) == 1:
        assert outside & IMPURE <= IMPURE_ALL_THE_SAME.get(short(path), set())


@every_file
def test_a_file_is_short_and_introduces_itself(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= LONGEST_FILE
    assert (ast.get_docstring(ast.parse(text)) or "").strip(), f"{short(path)} has no docstring"


@every_file
def test_nothing_is_left_for_later_or_silenced_wholesale(path: Path) -> None:
    text = path.read_text("utf-8")
    later = re.findall(r"#.*\b(?:TODO|FIXME|XXX|HACK)\b|pragma: no cover", text)
    blanket = re.findall(r"#\s*(?:noqa(?!: ?[A-Z]+\d)|type:\s*ignore(?!\[)|mypy:\s*ignore-errors|ruff:\s*noqa)", text)
    assert not later + blanket


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import treemill", {"numpy", "tree_sitter", "sqlite3", "rich", "treemill.flow"}),
        ("import treemill.flow.child, treemill.cutting", {"numpy", "sqlite3", "subprocess", "treemill.flow.processes"}),
        ("from treemill.cli import run; run(['--version'])", {"numpy", "tree_sitter", "sqlite3", "rich"}),
        ("from treemill.cli import run; run(['--help'])", {"numpy", "tree_sitter", "sqlite3", "rich"}),
    ],
)
def test_what_is_not_used_is_not_imported(code: str, absent: set[str]) -> None:
    report = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    done = subprocess.run([sys.executable, "-c", f"{report}\n{code}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not absent & set(done.stderr.split())
