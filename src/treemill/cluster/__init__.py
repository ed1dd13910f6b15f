"""The same work on a cluster: workers on the nodes of Ray.

    files ─▶ [carried] ─▶ RemoteCrew ─▶ a host on each node ─▶ its worker processes
                              └── outcomes, as from any crew

Importing this package says how Ray is to behave where the user has not: it tells nobody that it is used.
"""

from __future__ import annotations

import os

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# What Ray would say on standard error about settings that Treemill does not use.
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
