"""The words of the commands that serve agents and people, and connect them."""

from __future__ import annotations

from treemill.cli.commands import EXIT_CODES, Commands, add_command

_MCP = f"""\
Serves the tools search, find_related, read_chunk, index_status and reindex at once, and indexes behind. Agents start it
by themselves, over standard input and output; `treemill install` writes that into their settings. Needs the extra:
pip install "treemill[mcp]"

examples:
  treemill mcp                                      serve this folder to the agent that started it
  treemill mcp ~/src/app ~/src/lib                  several roots
  treemill mcp --http --port 8765                   over HTTP on this machine, with a token

{EXIT_CODES}"""

_SERVE = f"""\
A search box with results as you type, files at the line, a map of the code base, and indexing as it goes on. Listens on
this machine alone; the address holds a token. Loads nothing from elsewhere. Needs the extra:
pip install "treemill[serve]"

examples:
  treemill serve                                    this folder
  treemill serve ~/src/app --port 9000 --open       and open the browser

{EXIT_CODES}"""

_INSTALL = f"""\
Shows what will be written, and asks. Installing twice changes nothing; uninstalling puts the files back as they were.

examples:
  treemill install                                  for every agent that is found for this user
  treemill install claude cursor -y                 for these, without asking
  treemill install vscode --project .               into the project's own settings, to be shared
  treemill uninstall                                undo it

agents: claude (Claude Code), codex, cursor, vscode (VS Code), gemini (Gemini CLI), opencode

{EXIT_CODES}"""

_COMPLETION = f"""\
examples:
  treemill completion bash > ~/.local/share/bash-completion/completions/treemill
  treemill completion zsh > ~/.zfunc/_treemill      (with ~/.zfunc in $fpath)
  treemill completion fish > ~/.config/fish/completions/treemill.fish

{EXIT_CODES}"""


DOORS = ("mcp", "install", "uninstall", "serve", "completion")
"""The commands of doors, by name."""


def add_doors(commands: Commands) -> None:
    """Add them."""
    _mcp(commands)
    _install(commands)
    _serve(commands)
    _completion(commands)


def _mcp(commands: Commands) -> None:
    command = add_command(commands, "mcp", "serve agents over the Model Context Protocol", _MCP)
    command.add_argument("roots", nargs="*", metavar="ROOT", help="the folders to serve (default: this one)")
    command.add_argument("--http", action="store_true", help="serve over HTTP instead of standard input and output")
    command.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    command.add_argument("--port", type=int, default=8765, help="the port, 0 for any free one (default: 8765)")
    command.add_argument(
        "--token-file", metavar="FILE", help="a file with the token (default: $TREEMILL_MCP_TOKEN, else a fresh one)"
    )
    command.add_argument("--remote", action="store_true", help="allow an address that other machines can reach")


def _install(commands: Commands) -> None:
    for name, summary in (
        ("install", "make agents start Treemill's server"),
        ("uninstall", "undo what install wrote"),
    ):
        command = add_command(commands, name, summary, _INSTALL)
        command.add_argument("agents", nargs="*", metavar="AGENT", help="which agents (default: all that are found)")
        command.add_argument(
            "--project", metavar="FOLDER", help="the project's settings in a folder, instead of the user's"
        )
        command.add_argument("-y", "--yes", action="store_true", help="write without asking")
        command.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")


def _serve(commands: Commands) -> None:
    command = add_command(commands, "serve", "serve a web page about the code on this machine", _SERVE)
    command.add_argument("path", nargs="?", default=".", help="the folder (default: this one)")
    command.add_argument("--port", type=int, default=8766, help="the port, 0 for any free one (default: 8766)")
    command.add_argument("--open", action="store_true", help="open the page in the browser")


def _completion(commands: Commands) -> None:
    command = add_command(commands, "completion", "print the completion script of a shell", _COMPLETION)
    command.add_argument("shell", choices=("bash", "zsh", "fish", "tcsh"), help="which shell")
