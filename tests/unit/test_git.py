"""Git facts are read without git, and agree with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from treemill.git import exclude_file, git_facts

GIT = shutil.which("git")
needs_git = pytest.mark.skipif(GIT is None, reason="git makes the repositories here")


def git(folder: Path, *words: str) -> str:
    who = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b.c",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "protocol.file.allow=always",
    ]
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run([str(GIT), *who, *words], cwd=folder, env=environ, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tree) -> Path:
    root = tree({"a.py": "1", "sub/b.py": "2"})
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


@needs_git
def test_branch_and_commit_of_a_repository_from_anywhere_in_it(repository):
    head = git(repository, "rev-parse", "HEAD")
    for place in (repository, repository / "sub"):
        facts = git_facts(place)
        assert facts is not None
        assert (facts.top, facts.branch, facts.commit) == (str(repository), "main", head)


@needs_git
def test_packed_references_and_a_detached_head(repository):
    git(repository, "checkout", "-qb", "topic/one")
    git(repository, "pack-refs", "--all")
    head = git(repository, "rev-parse", "HEAD")
    facts = git_facts(repository)
    assert facts is not None
    assert (facts.branch, facts.commit) == ("topic/one", head)
    git(repository, "checkout", "-q", "--detach")
    facts = git_facts(repository)
    assert facts is not None
    assert (facts.branch, facts.commit) == (None, head)


@needs_git
def test_a_worktree_has_its_own_branch_and_shares_excludes(repository, tmp_path):
    place = tmp_path / "worktree"
    git(repository, "worktree", "add", "-q", "-b", "other", str(place))
    git(place, "commit", "-q", "--allow-empty", "-m", "second")
    facts = git_facts(place)
    assert facts is not None
    assert (facts.top, facts.branch, facts.commit) == (str(place), "other", git(place, "rev-parse", "HEAD"))
    shared = exclude_file(str(place))
    assert shared is not None
    assert os.path.samefile(shared, repository / ".git" / "info" / "exclude")


@needs_git
def test_a_repository_without_a_commit(tree):
    root = tree({})
    git(root, "init", "-q")
    facts = git_facts(root)
    assert facts is not None
    assert (facts.branch, facts.commit) == ("main", None)


def test_a_folder_without_git_has_no_facts(tree):
    assert git_facts(tree({"a.py": ""})) is None


@pytest.mark.parametrize(
    "head",
    ["ref: refs/heads/../../../secret", "ref: /etc/passwd", "ref: refs/../../secret", "garbage", "ref:", ""],
)
def test_a_head_made_to_lead_elsewhere_names_no_commit(tree, head):
    root = tree({".git/HEAD": head, "secret": "a" * 40})
    facts = git_facts(root)
    assert facts is not None
    assert facts.commit is None


def test_a_git_file_that_leads_nowhere_gives_no_facts(tree):
    assert git_facts(tree({".git": "gitdir: /nowhere/at/all"})) is None
    assert git_facts(tree({".git": "nonsense"})) is None
