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
"""

from __future__ import annotations

from treemill.flow.ahead import Ahead
from treemill.flow.aside import Aside
from treemill.flow.batches import weigh_batches
from treemill.flow.before import Before
from treemill.flow.crew import Crew, Work
from treemill.flow.local import InlineCrew, ThreadCrew
from treemill.flow.outcomes import Cause, Done, Idle, Limits, Lost, Outcome
from treemill.flow.processes import ProcessCrew

__all__ = [
    "Ahead",
    "Aside",
    "Before",
    "Cause",
    "Crew",
    "Done",
    "Idle",
    "InlineCrew",
    "Limits",
    "Lost",
    "Outcome",
    "ProcessCrew",
    "ThreadCrew",
    "Work",
    "weigh_batches",
]
