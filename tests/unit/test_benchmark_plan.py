"""The plan of `python -m benchmarks`: what becomes of each step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks import __main__ as command
from benchmarks.measure import rounds_within
from benchmarks.plan import STEPS, Ended, Step, carry_out, chosen

REPOSITORY = Path(__file__).parents[2]


def step(what: str, **given: object) -> Step:
    values = {"minutes": 5, "rounds": False, **given}
    return Step(what, f"step-{what}", ("support.steps", what), **values)  # type: ignore[arg-type]


def carried_out(steps: list[Step], folder: Path, *, minutes: float = 5) -> list[Ended]:
    path = os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "tests")))
    variables = {"PYTHONPATH": path, "TREEMILL_BENCH_RUNS": str(folder / "runs")}
    return carry_out(
        steps,
        rounds=3,
        minutes=minutes,
        resume=False,
        folder=folder,
        tell=lambda text: None,
        runs=folder / "runs",
        variables=variables,
    )


def test_a_step_that_fails_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    steps = [step("raise"), step("miss"), step("hang", minutes=0.005), step("hold", rounds=True)]
    ended = carried_out(steps, tmp_path)
    assert [each.how for each in ended] == ["failed", "a bound is missed", "out of time", "measured"]
    assert "the disk is on fire" in ended[0].why
    assert sorted(path.name.partition("Z-")[2] for path in (tmp_path / "runs").glob("*.json")) == [
        "step-hold.json",
        "step-miss.json",
    ]
    assert "--rounds 3" in next((tmp_path / "runs").glob("*hold.md")).read_text()
    assert command.exit_code(ended) == 2
    assert command.exit_code(ended[1:2]) == 1
    assert command.exit_code(ended[3:]) == 0


def test_what_has_no_time_or_lacks_what_it_needs_is_left_out_and_said(tmp_path: Path) -> None:
    ended = carried_out([step("hold", needs="peers"), step("miss")], tmp_path, minutes=0)
    assert [(each.how, each.why) for each in ended] == [
        ("left out", "it needs --peers"),
        ("left out", "no time is left"),
    ]


def test_steps_are_chosen_by_name_and_get_what_they_need() -> None:
    (only,) = chosen("beside-django", peers=Path("venv"), bench=None, trees=None)
    assert only.words[-2:] == ("--peers", "venv")
    assert not only.needs
    assert len(chosen("", peers=None, bench=None, trees=None)) == len(STEPS)
    with pytest.raises(ValueError, match="there is no step speed; there are: beside-django"):
        chosen("speed", peers=None, bench=None, trees=None)


def test_every_step_of_the_plan_is_a_module_of_this_folder() -> None:
    for each in STEPS:
        module = each.words[0].removeprefix("benchmarks.")
        assert (REPOSITORY / "benchmarks" / f"{module}.py").exists(), each.name


def test_a_first_round_is_always_measured_and_no_further_one_without_time() -> None:
    assert list(rounds_within(3, None)) == [0, 1, 2]
    assert list(rounds_within(3, 0)) == [0]
