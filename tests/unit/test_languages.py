"""What a file's name and first line tell, and that every grammar of the table can be had and parses its language."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
import tree_sitter

from treemill.chunking.families import FAMILIES
from treemill.languages import LANGUAGES, Grammar, language_among, language_of_name, language_of_shebang
from treemill.settings import CustomLanguage

GRAMMARS = {name: each.grammar for name, each in LANGUAGES.items() if each.grammar is not None}

SAMPLES = {
    "bash": "greet() {\n  echo hello\n}\n",
    "c": "int main(void) { return 0; }\n",
    "cpp": "template <class T> struct Box { T value; };\n",
    "csharp": "namespace A { class B { void C() { } } }\n",
    "css": "a:hover { color: red; }\n",
    "elixir": "defmodule A do\n  def b(c), do: c\nend\n",
    "go": "package main\n\nfunc main() {}\n",
    "haskell": "module A where\n\nb :: Int -> Int\nb c = c\n",
    "html": "<!doctype html><p>hello</p>\n",
    "java": "class A { void b() {} }\n",
    "javascript": "export function a() { return <p/>; }\n",
    "json": '{"a": [1, true, null]}\n',
    "julia": "function a(b)\n  b\nend\n",
    "kotlin": "fun main() { println(1) }\n",
    "lua": "local function a() return 1 end\n",
    "markdown": "# a\n\nb\n",
    "ocaml": "let a b = b + 1\n",
    "ocaml-interface": "val a : int -> int\n",
    "php": "<p><?php function a() { return 1; }\n",
    "python": "async def a(b: int) -> None: ...\n",
    "ruby": "class A\n  def b = 1\nend\n",
    "rust": "fn main() {}\n",
    "scala": "object A { def b: Int = 1 }\n",
    "sql": "SELECT a FROM b WHERE c = 1;\n",
    "swift": "func a() -> Int { return 1 }\n",
    "toml": "[a]\nb = 1\n",
    "tsx": "const a = (b: number) => <p>{b}</p>;\n",
    "typescript": "interface A { b: string }\n",
    "yaml": "a:\n  - b\n",
    "zig": "pub fn main() void {}\n",
}


def test_every_grammar_has_a_sample():
    assert SAMPLES.keys() == GRAMMARS.keys()


@pytest.mark.parametrize(("name", "grammar"), GRAMMARS.items())
def test_every_grammar_loads_and_parses_its_language_without_an_error(name: str, grammar: Grammar):
    language = tree_sitter.Language(getattr(import_module(grammar.module), grammar.function)())
    root = tree_sitter.Parser(language).parse(SAMPLES[name].encode()).root_node
    assert root.child_count > 0
    assert not root.has_error


def test_there_are_28_languages_with_a_grammar_and_100_more_with_a_family():
    further = [each for each in LANGUAGES.values() if each.grammar is None and each.family in FAMILIES]
    assert len(GRAMMARS) >= 28
    assert len(further) >= 100
    assert all(each.suffixes or each.filenames for each in further)


def test_every_family_exists_and_every_family_has_a_language():
    assert {each.family for each in LANGUAGES.values()} == FAMILIES.keys()


def test_every_suffix_is_one_that_a_lookup_can_find():
    for language in LANGUAGES.values():
        for suffix in language.suffixes:
            assert language_of_name(f"some/where/file{suffix}") == language.name
        for filename in language.filenames:
            assert language_of_name(f"some/where/{filename}") == language.name
        for interpreter in language.interpreters:
            assert language_of_shebang(f"#!/usr/bin/env {interpreter}\n".encode()) == language.name


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("a.py", "python"),
        ("deep/in/a.tree/a.rs", "rust"),
        ("types.d.ts", "typescript"),
        ("view.html.erb", "erb"),
        ("view.blade.php", "blade"),
        ("plain.php", "php"),
        ("app.component.html", "angular-html"),
        ("header.h", "c"),
        ("view.m", "objective-c"),
        ("script.pl", "perl"),
        ("chip.v", "verilog"),
        ("SHOUTED.PY", "python"),
        ("old.C", "cpp"),
        ("old.c", "c"),
        ("model.R", "r"),
        ("boot.S", "assembly"),
        ("Dockerfile", "dockerfile"),
        ("dockerfile", "dockerfile"),
        ("Dockerfile.dev", "dockerfile"),
        ("build.dockerfile", "dockerfile"),
        ("Makefile", "makefile"),
        ("Makefile.win", "makefile"),
        ("CMakeLists.txt", "cmake"),
        ("notes.txt", "text"),
        ("go.mod", "go-module"),
        ("config.h.in", "c"),
        ("values.yaml.example", "yaml"),
        (".bashrc", "bash"),
        (".gitignore", "ignore-list"),
        (".py", None),
        ("py", None),
        ("file.", None),
        ("file.unknown", None),
        ("folder.py/", None),
        ("", None),
        (".", None),
        ("..", None),
        ("a\udcff.py", "python"),
    ],
)
def test_a_name_tells_the_language(name: str, language: str | None):
    assert language_of_name(name) == language


@pytest.mark.parametrize(
    ("line", "language"),
    [
        (b"#!/usr/bin/python\n", "python"),
        (b"#!/usr/bin/python3.11\nimport sys\n", "python"),
        (b"#! /bin/sh -e\r\n", "bash"),
        (b"#!/usr/bin/env node\n", "javascript"),
        (b"#!/usr/bin/env -S deno run --allow-net\n", "typescript"),
        (b"#!/usr/bin/env -Sperl -w\n", "perl"),
        (b"#!/usr/bin/env --split-string=ruby -w\n", "ruby"),
        (b"#!/usr/bin/env -i LANG=C python3 -u\n", "python"),
        (b"#!/usr/bin/env -u HOME lua5.4\n", "lua"),
        (b"#!/usr/bin/perl6\n", "raku"),
        (b"#!/opt/local/bin/Rscript --vanilla\n", "r"),
        (b"#!C:\\Python311\\python.exe\n", "python"),
        (b"#!/usr/bin/env\n", None),
        (b"#!/bin/unheard-of\n", None),
        (b"#!\n", None),
        (b"#!", None),
        (b"#!\xff\xfe\x00\n", None),
        (b"#!" + b" " * 5000 + b"python\n", None),
        (b"# !/usr/bin/python\n", None),
        (b"", None),
    ],
)
def test_a_shebang_tells_the_language(line: bytes, language: str | None):
    assert language_of_shebang(line) == language


def test_a_custom_language_claims_names_by_suffix_and_by_whole_name():
    customs = (CustomLanguage(name="maze", suffixes=(".maze", ".mz.txt"), filenames=("MAZE",)),)
    assert language_among(customs, "a/b.maze") == "maze"
    assert language_among(customs, "a/b.mz.txt") == "maze"
    assert language_among(customs, "a/MAZE") == "maze"
    assert language_among(customs, "a/b.txt") is None
    assert language_among((), "a/b.maze") is None


def test_importing_the_table_loads_no_grammar():
    code = "import sys, treemill.languages; print(*[m for m in sys.modules if m.startswith('tree_sitter')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
