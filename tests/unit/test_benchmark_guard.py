"""The guard against losses: what it calls lost, and what it measures."""

from __future__ import annotations

from pathlib import Path

from benchmarks.guard import BASELINE, HotPath, guard, lost, report


def turns(count: int) -> int:
    return sum(number * number for number in range(count))


def test_a_path_that_takes_half_as_long_again_is_lost_and_one_that_takes_as_long_is_not() -> None:
    slower = HotPath("slower", lambda: turns(45_000), lambda: turns(30_000))
    same = HotPath("same", lambda: turns(30_000), lambda: turns(30_000))
    baseline = {"slower": 1.0, "same": 1.0}
    ratios = guard([slower, same], baseline, seconds=2)
    assert [name for name, ratio in ratios.items() if lost(name, ratio, baseline)] == ["slower"]
    said = report(ratios, baseline)
    assert said[0].endswith("LOST")
    assert not said[1].endswith("LOST")


def test_15_percent_of_the_speed_are_the_border() -> None:
    assert not lost("words", 1 / 0.86, {"words": 1.0})
    assert lost("words", 1 / 0.84, {"words": 1.0})
    assert not lost("words", 100.0, {})


def test_the_baseline_names_every_hot_path() -> None:
    source = Path(BASELINE).with_name("guard.py").read_text()
    baseline = BASELINE.read_text()
    for name in ("chunk", "words", "encode", "likeness", "discover"):
        assert f'HotPath("{name}"' in source
        assert f'"{name}"' in baseline
