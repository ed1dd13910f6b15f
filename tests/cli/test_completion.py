"""Completion, as a shell does it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import environment

COMPLETE = """
source {script}
COMP_WORDS=({words}); COMP_CWORD={last}; COMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}
{function}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def script_for(shell: str) -> str:
    """Return the completion script of a shell."""
    done = subprocess.run(
        [sys.executable, "-m", "treemill", "completion", shell],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
        check=True,
    )
    return done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [(["treemill", "se"], {"search", "serve"}), (["treemill", "index", "--re"], {"--rebuild", "--retry", "--report"})],
)
def test_bash_completes_commands_and_flags(tmp_path: Path, words: list[str], expected: set[str]) -> None:
    script = tmp_path / "treemill.bash"
    script.write_text(script_for("bash"))
    function = next(
        line.rsplit(" -F ", 1)[1].split()[0] for line in script.read_text().splitlines() if line.startswith("complete")
    )
    code = COMPLETE.format(
        script=script, words=" ".join(words), last=len(words) - 1, line=" ".join(words), function=function
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=60)
    assert expected <= set(done.stdout.split())


@pytest.mark.parametrize("shell", ["zsh", "fish", "tcsh"])
def test_other_shells_have_a_script_that_knows_the_commands(shell: str) -> None:
    assert "search" in script_for(shell)
