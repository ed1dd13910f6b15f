"""What agents read about an answer before its places."""

from __future__ import annotations

from treemill.mcp.desk import note_on
from treemill.records import Coverage, Query
from treemill.searching import Answer

WHOLE = Coverage(searchable=2, known=2, complete=True, chunks=3, vectors=3)
OTHER = "answered by words alone: the index was built with model static-1:0 (16)"


def test_agents_are_told_what_else_to_know_about_an_answer() -> None:
    assert note_on("", Answer(Query("cart"), (), WHOLE, "no file holds these words", notes=(OTHER,))) == (
        f"searched {WHOLE}. {OTHER}. No result: no file holds these words"
    )
    assert note_on("shop", Answer(Query("cart"), (), WHOLE)) == f"searched {WHOLE} in shop"


def test_no_more_files_are_searchable_than_there_are_said_to_be() -> None:
    assert str(Coverage(searchable=190, known=186, complete=False)) == "190 of 190 files"
    assert str(Coverage(searchable=20, known=186, complete=False)) == "20 of 186 files"
