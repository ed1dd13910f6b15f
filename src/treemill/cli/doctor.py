"""`treemill doctor`: what is wrong with an index and what it depends on, and making it right."""

from __future__ import annotations

import argparse
import json

from treemill.checking import provider_trouble
from treemill.cli.given import store_flags
from treemill.cli.words import printable
from treemill.configuration import load_settings
from treemill.diagnosing import diagnose, mend
from treemill.native import built
from treemill.places import place_of, seated
from treemill.storage.examining import Finding, Repair

WRONG = 6

_STEPS = {
    Repair.NONE: "",
    Repair.FORGET: "reads it again",
    Repair.LAY_OUT: "lays it out again",
    Repair.RESTRICT: "takes the permission away",
    Repair.REBUILD: "puts an empty one in its place",
}


def run(arguments: argparse.Namespace) -> int:
    """Print what is found, repair it on request, and return 0 if nothing bad is left, else 6."""
    place = place_of(arguments.path)
    flags = store_flags(arguments)
    storage = load_settings(place.root, flags=flags).storage if flags["storage.url"] else None
    place = place if storage is None else seated(place, storage)
    findings = list(diagnose(place, flags=flags, check_provider=provider_trouble))
    repaired = arguments.repair and any(each.repair is not Repair.NONE for each in findings)
    if repaired:
        mend(place, findings)
    left = [each for each in findings if not each.harmless and not (repaired and each.repair is not Repair.NONE)]
    if arguments.json:
        values = {
            "root": str(place.root),
            "index": str(place.folder),
            "compiled": list(built()),
            "findings": [_as_json(each, repaired=bool(repaired)) for each in findings],
            "ok": not left,
        }
        print(json.dumps(values, indent=1))
    else:
        print(printable(_compiled()))
        for each in findings:
            print(printable(_line(each, repaired=bool(repaired))))
        print(printable(_summary(findings, left, repaired=bool(repaired))))
    return WRONG if left else 0


def _compiled() -> str:
    """Say which compiled halves of hot paths are used; what they do differs in speed alone."""
    names = ", ".join(built()) or "none, so indexing takes longer"
    return f"{'note':<9} {'speed':<12} compiled halves: {names}"


def _as_json(finding: Finding, *, repaired: bool) -> dict[str, object]:
    return {
        "subject": finding.subject,
        "what": finding.what,
        "harmless": finding.harmless,
        "repair": str(finding.repair),
        "repaired": repaired and finding.repair is not Repair.NONE,
    }


def _line(finding: Finding, *, repaired: bool) -> str:
    mark = "repaired" if repaired and finding.repair is not Repair.NONE else "note" if finding.harmless else "wrong"
    step = "" if repaired or finding.repair is Repair.NONE else f" (--repair {_STEPS[finding.repair]})"
    return f"{mark:<9} {finding.subject:<12} {finding.what}{step}"


def _summary(findings: list[Finding], left: list[Finding], *, repaired: bool) -> str:
    if left:
        can = any(each.repair is not Repair.NONE for each in left)
        return f"{len(left):,} wrong" + ("; `treemill doctor --repair` makes right what it can" if can else "")
    if repaired and any(each.repair in (Repair.FORGET, Repair.REBUILD) for each in findings):
        return "repaired; `treemill index` reads again what had to be forgotten"
    return "all is well"
