"""Indexing behind, in a process of its own that outlives the one that answers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from treemill.places import Place
from treemill.settings import Settings


def index_behind(place: Place, settings: Settings) -> int:
    """Start indexing in a process that outlives this one, and return its id; a second one ends by itself.

    Where the index is kept is told in the environment: what is on a command line can be read by everybody.
    """
    storage = settings.storage
    told = {"TREEMILL_STORAGE__URL": storage.url, "TREEMILL_STORAGE__REPOSITORY": storage.repository}
    environment = {**os.environ, **told}
    command = [sys.executable, "-P", "-m", "treemill", "index", "--quiet", str(place.root)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, env=environment
    )
    # Its end is taken note of, so that a process that goes on for longer is left with no dead child.
    threading.Thread(target=process.wait, name="behind", daemon=True).start()
    return process.pid
