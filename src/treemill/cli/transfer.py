"""`treemill export` and `treemill import`: an index from one machine to another."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from treemill.checkouts import without_secrets
from treemill.cli.given import settings_for, store_flags
from treemill.cli.index import as_json, exit_code, summary
from treemill.cli.progress import listener_for
from treemill.cli.words import count, printable, size
from treemill.cli.working import cancelled_by_ctrl_c
from treemill.configuration import load_settings
from treemill.embedding.registry import provider_for
from treemill.objects import is_place
from treemill.places import Place, place_of, seated
from treemill.publishing import fetched, publish_index
from treemill.settings import StorageSettings
from treemill.transfer import export_index, import_index


def run(arguments: argparse.Namespace) -> int:
    """Write or read an export, and return the exit code."""
    return _export(arguments) if arguments.command == "export" else _import(arguments)


def _export(arguments: argparse.Namespace) -> int:
    if is_place(arguments.file):
        return _publish(arguments)
    target = Path(arguments.file)
    place, storage = _kept(arguments)
    head = export_index(place, target, storage)
    written = f"wrote {count(head.contents, 'content')} to {target} ({size(target.stat().st_size)})"
    print(printable(written), file=sys.stderr)
    return 0


def _kept(arguments: argparse.Namespace) -> tuple[Place, StorageSettings]:
    """Return the place whose index is exported, and where that index is kept."""
    place = place_of(arguments.path)
    storage = load_settings(place.root, flags=store_flags(arguments)).storage
    return seated(place, storage), storage


def _publish(arguments: argparse.Namespace) -> int:
    place, storage = _kept(arguments)
    manifest = publish_index(place, arguments.file, storage)
    written = f"published {count(manifest.contents, 'content')} as {manifest.file} ({size(manifest.bytes)})"
    print(printable(f"{written} at {without_secrets(arguments.file)}"), file=sys.stderr)
    return 0


def _import(arguments: argparse.Namespace) -> int:
    if not is_place(arguments.file):
        return _import_file(arguments, Path(arguments.file))
    with fetched(arguments.file) as (path, _):
        return _import_file(arguments, path)


def _import_file(arguments: argparse.Namespace, source: Path) -> int:
    place = place_of(arguments.path)
    settings = settings_for(place, arguments)
    place = seated(place, settings.storage)
    with listener_for(sys.stderr, arguments) as listener, cancelled_by_ctrl_c() as cancel:
        report = import_index(
            place,
            source,
            settings,
            provider=provider_for(settings),
            trust=arguments.trust,
            listener=listener,
            cancel=cancel,
        )
    if arguments.json:
        print(json.dumps(as_json(report), indent=1))
    elif not arguments.quiet:
        for line in summary(report):
            print(printable(line), file=sys.stderr)
    return exit_code(report, strict=False)
