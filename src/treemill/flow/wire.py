"""Frames on a pipe: a length, then a pickle. Both ends are this package in one version, on one machine."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any

from treemill._version import __version__

_LENGTH = struct.Struct("<Q")

MARKS = struct.Struct("<dqqq")
"""What a worker shows its parent while it works, in shared memory: when it took the item in hand (`time.monotonic`),
its resident bytes when it took the batch (0 if unknown), batch number, and index of the item in hand (-1 for none).

The index comes last, so that whoever sees it sees what belongs to it: fields are written one after the other."""


GREETING = ("treemill", __version__)
"""What both ends say first. A program that runs while it is updated starts workers of the new version."""


def send(pipe: IO[bytes], message: object) -> None:
    """Write one message and flush.

    Raises:
        OSError, ValueError: the other end is gone, or the pipe is closed.
    """
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    # In one piece: a length that goes ahead of a long body wakes the reader, who has to wait again.
    pipe.write(_LENGTH.pack(len(body)) + body)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read one message.

    Raises:
        EOFError: the other end is gone, between messages or inside one.
    """
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    return pickle.loads(_exactly(pipe, length))  # noqa: S301 - from our own child


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    data = pipe.read(length)
    if len(data) != length:
        raise EOFError("the pipe ended")
    return data
