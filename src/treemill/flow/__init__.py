"""How work moves between stages: the only concurrency in the package. Knows no domain word.

A `Work` is a small value that can be pickled; `start()` makes the function that takes batches of items. A crew of
workers (`open_crew`: processes, threads, or none) runs it over batches pulled from an iterable and yields what became
of them, in the order in which they end:

    with open_crew("process", 2, work, Limits(seconds=30)) as crew:
        for outcome in crew.map(batches):
            match outcome:
                case Done(items=items, value=value): ...
                case Lost(item=item, cause=cause): ...
                case Idle(): ...                          # nothing came for a while: a chance to report

Back-pressure is the pull: a batch is taken from the input only while fewer than a window of them are under way, so
whoever stops asking stops everything upstream. Cancelling is closing: closing the generator or leaving the `with`
kills the workers, whatever they hold. Each wait is bounded: a worker that holds one item longer than the limits
allow is killed and replaced; so is one that dies. The item it held is lost or, after a crash, tried once more alone;
the other items of its batch are done again by another worker, so they are neither lost nor blamed.

Each name is loaded when it is first used: a worker needs none of what drives workers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "Ahead": "ahead",
    "Aside": "aside",
    "Before": "before",
    "Cause": "outcomes",
    "Crew": "crew",
    "Done": "outcomes",
    "Hand": "aside",
    "Idle": "outcomes",
    "InlineCrew": "local",
    "Later": "before",
    "Limits": "outcomes",
    "Lost": "outcomes",
    "Outcome": "outcomes",
    "ProcessCrew": "processes",
    "ThreadCrew": "local",
    "Work": "crew",
    "weigh_batches": "batches",
}

if TYPE_CHECKING:
    from treemill.flow.ahead import Ahead as Ahead
    from treemill.flow.aside import Aside as Aside
    from treemill.flow.aside import Hand as Hand
    from treemill.flow.batches import weigh_batches as weigh_batches
    from treemill.flow.before import Before as Before
    from treemill.flow.before import Later as Later
    from treemill.flow.crew import Crew as Crew
    from treemill.flow.crew import Work as Work
    from treemill.flow.local import InlineCrew as InlineCrew
    from treemill.flow.local import ThreadCrew as ThreadCrew
    from treemill.flow.outcomes import Cause as Cause
    from treemill.flow.outcomes import Done as Done
    from treemill.flow.outcomes import Idle as Idle
    from treemill.flow.outcomes import Limits as Limits
    from treemill.flow.outcomes import Lost as Lost
    from treemill.flow.outcomes import Outcome as Outcome
    from treemill.flow.processes import ProcessCrew as ProcessCrew


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'treemill.flow' has no attribute {name!r}")
    value = getattr(import_module(f"treemill.flow.{home}"), name)
    globals()[name] = value
    return value
