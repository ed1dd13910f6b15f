"""`treemill chunk`: chunks on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

KEYS = {
    *("file_path", "start_line", "end_line", "content", "language", "symbol", "kind", "parents", "id", "source"),
}
FILES = {
    "src/cart.py": "class Cart:\n    def add(self, item):\n        self.items += [item]\n",
    "src/deep/main.go": "package main\n\nfunc main() {\n}\n",
    "src/.hidden.py": "x = 1\n",
    "src/ignored.py": "y = 2\n",
    "src/.gitignore": "ignored.py\n",
    "notes.txt": "Nothing in particular.\n",
}


def treemill(folder: Path, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HOME": str(folder)}
    command = [sys.executable, "-m", "treemill", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False, **options
    )


def chunks(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_chunk_is_printed_under_its_place_kind_and_name(tree):
    done = treemill(tree(FILES), "chunk", "src/cart.py")
    assert (done.returncode, done.stdout) == (0, f"src/cart.py:1-3  class Cart\n{FILES['src/cart.py']}\n")
    assert done.stderr == "treemill: 1 file (66 B), 1 chunk in " + done.stderr.rpartition(" in ")[2]


def test_jsonl_is_one_object_a_chunk_with_all_keys(tree):
    done = treemill(tree(FILES), "chunk", "src", "notes.txt", "--jsonl", "--executor", "inline")
    found = {each["file_path"]: each for each in chunks(done)}
    assert set(found) == {"src/cart.py", "src/deep/main.go", "notes.txt"}
    assert all(set(each) == KEYS for each in found.values())
    cart = found["src/cart.py"]
    assert (cart["start_line"], cart["end_line"], cart["content"]) == (1, 3, FILES["src/cart.py"])
    assert (cart["language"], cart["kind"], cart["symbol"], cart["parents"]) == ("python", "class", "Cart", [])
    assert cart["source"] == "semantic"


def test_every_executor_prints_the_same(tree):
    root = tree({f"{i}.py": f"def f{i}():\n    return {i}\n" * 20 for i in range(30)})
    outputs = {
        treemill(root, "chunk", ".", "--ordered", "--jsonl", "--executor", each, "--workers", "2").stdout
        for each in ("process", "thread", "inline")
    }
    assert len(outputs) == 1
    assert outputs.pop().count("\n") >= 30


def test_a_folder_is_walked_as_index_walks_it_and_a_file_that_is_named_is_taken_as_it_is(tree):
    root = tree(FILES)
    walked = {each["file_path"] for each in chunks(treemill(root, "chunk", "src", "--jsonl"))}
    assert walked == {"src/cart.py", "src/deep/main.go"}
    named = {each["file_path"] for each in chunks(treemill(root, "chunk", "src/ignored.py", "--jsonl"))}
    assert named == {"src/ignored.py"}
    hidden = {each["file_path"] for each in chunks(treemill(root, "chunk", "src", "--jsonl", "--hidden"))}
    assert "src/.hidden.py" in hidden


def test_a_path_that_does_not_exist_is_bad_use(tree):
    done = treemill(tree({}), "chunk", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere" in done.stderr


def test_an_unknown_executor_is_bad_use_and_the_valid_ones_are_listed(tree):
    done = treemill(tree({}), "chunk", ".", "--executor", "fibers")
    assert done.returncode == 2
    assert "process" in done.stderr
    assert "inline" in done.stderr


def test_a_file_that_fails_is_told_and_the_others_are_printed(tree):
    root = tree({"bad.py": b"\0", "good.py": "x = 1\n"})
    done = treemill(root, "chunk", ".", "--jsonl")
    assert done.returncode == 0
    assert [each["file_path"] for each in chunks(done)] == ["good.py"]
    assert "bad.py: BinaryFileError" in done.stderr
    assert done.stderr.count("bad.py: BinaryFileError") == 1
    assert treemill(root, "chunk", ".", "--strict").returncode == 8


def test_it_exits_with_9_when_every_file_failed_and_with_0_when_there_is_none(tree):
    assert treemill(tree({"bad.py": b"\0"}), "chunk", ".").returncode == 9
    assert treemill(tree({}), "chunk", ".").returncode == 0


def test_a_setting_of_the_tree_counts(tree):
    root = tree({"a.txt": "word " * 100, "treemill.toml": "[chunker]\nmax_chunk_bytes = 100\n"})
    assert len(chunks(treemill(root, "chunk", "a.txt", "--jsonl"))) >= 5


def test_the_size_of_chunks_is_a_flag_in_the_unit_that_is_asked_for(tree):
    text = "größe = größe + 1\n" * 40
    root = tree({"a.txt": text, "treemill.toml": "[chunker]\nmax_chunk_tokens = 16\n"})

    def sizes(*flags: str) -> list[str]:
        found = [each["content"] for each in chunks(treemill(root, "chunk", "a.txt", "--jsonl", *flags))]
        assert "".join(found) == text
        return found

    assert {len(each.split()) for each in sizes()} == {25}
    assert all(len(each) <= 100 for each in sizes("--max-characters", "100"))
    assert all(len(each.encode()) <= 100 for each in sizes("--max-bytes", "100"))
    assert len(sizes("--max-characters", "100")) < len(sizes("--max-bytes", "100"))
    assert len(sizes("--max-tokens", "60")) == 2
    done = treemill(root, "chunk", "a.txt", "--max-tokens", "60", "--max-bytes", "100")
    assert (done.returncode, "not allowed with" in done.stderr) == (2, True)


def test_a_delimiter_that_does_not_work_is_named_and_the_others_cut(tree):
    settings = """
        [[chunker.custom_languages]]
        name = "brew"
        suffixes = [".brew"]
        delimiters = ["(unclosed", "^% "]
        [chunker]
        max_chunk_bytes = 16
    """
    root = tree({"a.brew": "% one\nalpha\n% two\nbeta\n", "treemill.toml": settings})
    done = treemill(root, "chunk", "a.brew", "--jsonl")
    assert [each["content"] for each in chunks(done)] == ["% one\nalpha\n", "% two\nbeta\n"]
    assert done.stderr.count("the custom delimiter '(unclosed' of brew is left out: RE2 says") == 1
    done = treemill(root, "index")
    assert (
        done.returncode,
        done.stderr.count("'(unclosed' of brew is left out") or done.stdout.count("(unclosed"),
    ) == (0, 1)


def test_quiet_says_nothing_but_chunks_and_verbose_names_what_is_skipped(tree):
    root = tree({"a.py": "x = 1\n", "b.py": "#" * 1_100_000})
    assert treemill(root, "chunk", ".", "-q").stderr == ""
    assert "b.py: skipped" in treemill(root, "chunk", ".", "-v").stderr


def test_a_name_that_would_steer_the_terminal_is_shown_harmless(tree):
    done = treemill(tree({"\x1b[2J.py": "x = '\x1b[2J'\n"}), "chunk", ".")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell with pipes")
def test_a_reader_that_has_enough_is_no_error(tree):
    root = tree({f"{i}.py": "x = 1\n" * 2000 for i in range(50)})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    words = ["bash", "-o", "pipefail", "-c", f"'{sys.executable}' -m treemill chunk . | head -n 1"]
    done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one child there")
def test_ctrl_c_ends_it_with_130(tree):
    slow = {f"slow{i}.py": "def f(x):\n    return [x, (x, {x: x})]\n" * 60_000 for i in range(4)}
    root = tree({"a.py": "x = 1\n", **slow})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    program = subprocess.Popen(
        [sys.executable, "-u", "-m", "treemill", "chunk", "a.py", *slow],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline().startswith("a.py:1-1")
    began = time.monotonic()
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=30)
    assert (program.returncode, said) == (130, "treemill: interrupted\n")
    assert time.monotonic() - began < 5
