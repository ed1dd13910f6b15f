"""Many repositories as one piece of work: which there are, what is known of each, and bringing all of them up to date.

    FILE ─▶ listed repositories ─▶ plan by bytes ─▶ ┌ small ones: one worker each, many at a time ┐ ─▶ catalogue
                                                    └ large ones: all workers on one after another ┘    report

Each repository has one writer, and an index of its own. What goes wrong with one is a line in the catalogue; a run that
is interrupted, or killed, goes on where it was.
"""
