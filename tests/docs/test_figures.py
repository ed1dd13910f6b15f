"""Published figures are what the newest run files say, and nothing else is published."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from benchmarks import charts, publish

from support.run_files import write_all, write_run

PAGE = "Before.\n\n<!-- figures: headline -->\nstale\n<!-- /figures -->\n\nBetween.\n"


def planted(root: Path) -> Path:
    """A README and a docs page with blocks, and an empty folder of runs."""
    (root / "docs").mkdir()
    (root / "README.md").write_text(PAGE)
    (root / "docs" / "benchmarks.md").write_text(PAGE.replace("headline", "figures"))
    return root / "runs"


def published(root: Path, *more: str) -> int:
    return publish.main(["--root", str(root), "--runs", str(root / "runs"), *more])


def test_the_pages_show_what_the_newest_runs_say() -> None:
    assert publish.main(["--check"]) == 0, "run: python -m benchmarks.publish"


def test_a_figure_is_published_with_its_spread_its_bound_and_where_it_was_measured(tmp_path: Path) -> None:
    write_run(planted(tmp_path), "quality", {"NDCG@10, treemill": 0.88}, bounds={"NDCG@10, treemill": 0.87})
    assert published(tmp_path, "--check") == 1
    assert (tmp_path / "README.md").read_text() == PAGE
    published(tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "| quality of answers, NDCG@10 | 0.88 (0.79–0.97) | ≥ 0.87 | 2026-11-25, abc1234 |" in page
    assert "Measured on A processor, 2 cores" in page
    assert "stale" not in page
    assert page.startswith("Before.\n")
    assert page.endswith("\nBetween.\n")
    assert published(tmp_path, "--check") == 0


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "quality was not measured"),
        ({"figures": {"MB": 3.0}}, "has no 'NDCG@10, treemill'"),
        ({"figures": {"NDCG@10, treemill": 0.9}}, "'NDCG@10, treemill' has no bound"),
        (
            {
                "figures": {"NDCG@10, treemill": 0.9},
                "bounds": {"NDCG@10, treemill": 0.87},
                "revision": "abc1234 with changes",
            },
            "which is no commit",
        ),
    ],
)
def test_what_was_not_measured_or_has_no_bound_is_refused_by_name(
    tmp_path: Path, given: dict[str, object] | None, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = planted(tmp_path)
    if given is not None:
        write_run(runs, "quality", **given)  # type: ignore[arg-type]
    assert published(tmp_path) == 1
    refusals = [line for line in capsys.readouterr().err.splitlines() if "quality of answers" in line]
    assert len(refusals) == 1
    assert reason in refusals[0]
    assert "| quality of answers" not in (tmp_path / "README.md").read_text()


def test_a_missed_bound_is_published_as_missed_and_a_newer_run_replaces_an_older_one(tmp_path: Path) -> None:
    runs = planted(tmp_path)
    for when, value in (("2026-11-24T0800Z", 0.95), ("2026-11-25T0800Z", 0.5)):
        write_run(runs, "quality", {"NDCG@10, treemill": value}, bounds={"NDCG@10, treemill": 0.9}, when=when)
    published(tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "| 0.50 (0.45–0.55) | ≥ 0.9, **missed** |" in page
    assert "0.95" not in page


def test_pictures_are_well_formed_named_and_readable_in_light_and_dark(tmp_path: Path) -> None:
    write_all(tmp_path / "runs")
    drawn, lacking = charts.draw(tmp_path, tmp_path / "runs")
    assert drawn == ["throughput", "memory", "quality"]
    assert not lacking
    for name in drawn:
        root = ElementTree.parse(tmp_path / f"{name}.svg").getroot()
        space = "{http://www.w3.org/2000/svg}"
        assert root.get("role") == "img"
        assert {each.get("id") for each in root} >= set(str(root.get("aria-labelledby")).split())
        assert root.findtext(f"{space}title")
        assert any(character.isdigit() for character in str(root.findtext(f"{space}desc")))
        assert "prefers-color-scheme: dark" in str(root.findtext(f"{space}style"))


def test_a_picture_of_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    write_all(tmp_path / "runs")
    next((tmp_path / "runs").glob("*growth.json")).unlink()
    drawn, lacking = charts.draw(tmp_path, tmp_path / "runs")
    assert drawn == ["throughput", "quality"]
    assert lacking == ["the picture memory is not drawn: growth was not measured"]
