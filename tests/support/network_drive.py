"""A folder seen as a network drive (Linux): a file system that a process serves, and that tells nobody of changes.

    python network_drive.py SERVED POINT COMMAND...

runs a command in name spaces of its own, in which POINT shows what is in SERVED, for reading, on a file system of type
fuse.sshfs. Who changes something in SERVED changes it "on the server": the kernel on this side hears nothing of it. A
line `drop` on standard input ends the server, as a pulled cable does; `back` has it serve again.

The server speaks the kernel's protocol for file systems in user space, as far as reading a tree needs it.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from support.namespaces import REFUSED, end_with_parent, enter, mount, unmount

KIND = "fuse.sshfs"

_HEAD = struct.Struct("<IIQQIIII")
_REPLY = struct.Struct("<IiQ")
_ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
_READ = struct.Struct("<QQI")
_MOST_BYTES = 1 << 20
_VERSION = (7, 31)
_TOLD_WITHOUT_REPLY = {2, 36, 42}  # forget, interrupt, forget many


class Server:
    """Serves one folder through an open /dev/fuse."""

    def __init__(self, served: Path, descriptor: int) -> None:
        self._served = os.fsencode(served)
        self._descriptor = descriptor
        self._nodes = [b"", self._served]  # the kernel numbers from 1, which is the top
        self._lists: dict[int, list[tuple[int, bytes, int]]] = {}
        self._deeds: dict[int, Callable[[int, bytes], bytes]] = {
            1: self._look_up,
            3: self._attributes,
            5: lambda node, body: os.readlink(self._nodes[node]),
            14: self._open,
            15: self._read,
            17: lambda node, body: struct.pack("<5Q10I", *[1 << 20] * 5, 4096, 255, 4096, *[0] * 7),
            18: self._close,
            25: lambda node, body: b"",
            26: lambda node, body: struct.pack("<4I2H2I2H8I", *_VERSION, 1 << 17, 0, 8, 6, 4096, 1, 0, 0, *[0] * 8),
            27: self._open_folder,
            28: self._read_folder,
            29: self._close_folder,
        }

    def serve(self) -> None:
        """Answer the kernel until nothing is mounted any more."""
        while True:
            try:
                asked = os.read(self._descriptor, _MOST_BYTES)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT):
                    continue
                return
            _, code, unique, node, *_ = _HEAD.unpack_from(asked)
            if code in _TOLD_WITHOUT_REPLY:
                continue
            number, body = self._answer(code, node, asked[_HEAD.size :])
            os.write(self._descriptor, _REPLY.pack(_REPLY.size + len(body), -number, unique) + body)

    def _answer(self, code: int, node: int, body: bytes) -> tuple[int, bytes]:
        deed = self._deeds.get(code)
        if deed is None:
            return errno.ENOSYS, b""
        try:
            return 0, deed(node, body)
        except OSError as error:
            return error.errno or errno.EIO, b""

    def _look_up(self, node: int, body: bytes) -> bytes:
        path = os.path.join(self._nodes[node], body.rstrip(b"\0"))
        told = _told(os.lstat(path))
        if path not in self._nodes:
            self._nodes.append(path)
        return struct.pack("<QQQQII", self._nodes.index(path), 0, 0, 0, 0, 0) + told

    def _attributes(self, node: int, body: bytes) -> bytes:
        return struct.pack("<QII", 0, 0, 0) + _told(os.lstat(self._nodes[node]))

    def _open(self, node: int, body: bytes) -> bytes:
        return struct.pack("<QII", os.open(self._nodes[node], os.O_RDONLY), 0, 0)

    def _read(self, node: int, body: bytes) -> bytes:
        descriptor, offset, size = _READ.unpack_from(body)
        return os.pread(descriptor, size, offset)

    def _close(self, node: int, body: bytes) -> bytes:
        os.close(_READ.unpack_from(body)[0])
        return b""

    def _open_folder(self, node: int, body: bytes) -> bytes:
        with os.scandir(self._nodes[node]) as entries:
            listed = [
                (each.inode(), each.name, stat.S_IFMT(each.stat(follow_symlinks=False).st_mode) >> 12)
                for each in entries
            ]
        handle = max(self._lists, default=0) + 1
        self._lists[handle] = listed
        return struct.pack("<QII", handle, 0, 0)

    def _read_folder(self, node: int, body: bytes) -> bytes:
        handle, offset, size = _READ.unpack_from(body)
        told = b""
        for place, (number, name, kind) in enumerate(self._lists[handle][offset:], offset + 1):
            entry = struct.pack("<QQII", number, place, len(name), kind) + name
            entry += b"\0" * (-len(entry) % 8)
            if len(told) + len(entry) > size:
                break
            told += entry
        return told

    def _close_folder(self, node: int, body: bytes) -> bytes:
        del self._lists[_READ.unpack_from(body)[0]]
        return b""


def _told(entry: os.stat_result) -> bytes:
    """Return what the kernel wants to know of a file."""
    times = (entry.st_atime_ns, entry.st_mtime_ns, entry.st_ctime_ns)
    return _ATTRIBUTES.pack(
        entry.st_ino,
        entry.st_size,
        entry.st_blocks,
        *(time // 10**9 for time in times),
        *(time % 10**9 for time in times),
        entry.st_mode,
        entry.st_nlink,
        entry.st_uid,
        entry.st_gid,
        0,
        entry.st_blksize,
        0,
    )


def serving(served: Path, point: Path) -> int:
    """Mount a folder, have a process of its own serve it, and return that process."""
    descriptor = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={descriptor},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()}"
    mount("sshfs", point, KIND, options)
    process = os.fork()
    if process == 0:
        end_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        Server(served, descriptor).serve()
        os._exit(0)
    os.close(descriptor)
    return process


def obey(served: Path, point: Path, server: int) -> None:
    """Do what standard input says, until it ends."""
    for line in sys.stdin:
        if line.strip() == "drop":
            os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)
        elif line.strip() == "back":
            unmount(point)
            server = serving(served, point)


def main(served: Path, point: Path, *command: str) -> int:
    """Run a command with the drive in its place, and return its exit code."""
    try:
        enter()
        server = serving(served, point)
    except OSError as error:
        print(f"no network drive: {error}", file=sys.stderr)
        return REFUSED
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent) as process:
        threading.Thread(target=obey, args=(served, point, server), daemon=True).start()
        return process.wait()


if __name__ == "__main__":
    # Whoever is left, the server among them, ends with this process.
    os._exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
