"""Objects that were compiled before, in a directory that belongs to this user alone.

An object is code that will be run, so nothing is read from a directory that somebody else could
write to: it must be the user's own, with no rights for others, and so must be each file. A file
is written under a name of its own and then renamed, so that processes never see a part of one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import tempfile
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

VARIABLE = "TINYGRAD_LR_CACHE"
FORMAT = "1"
MOST = 64 << 20  # bytes: what is above goes, the oldest first


@functools.cache
def directory() -> Path | None:
    """Where objects are kept; None where there is no safe place, or the variable is empty."""
    named = os.environ.get(VARIABLE)
    if named == "":
        return None
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    place = Path(named) if named else Path(home) / "tinygrad_lr"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return place if is_private(place) else None


def is_private(place: Path) -> bool:
    """Whether a file or directory is this user's, and nobody else may write to it or read it."""
    try:
        status = place.lstat()
    except OSError:
        return False
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        return False
    return not stat.S_ISLNK(status.st_mode) and not status.st_mode & 0o077


def key(form: str, cpu: str, features: str) -> str:
    """The name of an object: what the program does, the versions, and the CPU."""
    version = ".".join(map(str, llvm.llvm_version_info))
    whole = "\0".join([FORMAT, llvmlite.__version__, version, own_version(), cpu, features, form])
    return hashlib.sha256(whole.encode()).hexdigest()


@functools.cache
def own_version() -> str:
    """A digest of the files that write code: another version of them writes other code."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def read(name: str) -> bytes | None:
    """The object, if it is there and whole."""
    place = directory()
    if place is None:
        return None
    file = place / f"{name}.o"
    if not is_private(file):
        return None
    try:
        data = file.read_bytes()
    except OSError:
        return None
    digest, body = data[:32], data[32:]
    if hashlib.sha256(body).digest() != digest:
        return None
    with contextlib.suppress(OSError):
        os.utime(file)
    return body


def write(name: str, body: bytes) -> None:
    """Keep an object; where that is not possible, it is compiled again next time."""
    place = directory()
    if place is None:
        return
    try:
        handle, temporary = tempfile.mkstemp(dir=place, prefix="new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(body).digest() + body)
            os.replace(temporary, place / f"{name}.o")
        except BaseException:
            os.unlink(temporary)
            raise
        _trim(place)
    except OSError:
        return


def _trim(place: Path) -> None:
    files = []
    for file in place.glob("*.o"):
        with contextlib.suppress(OSError):
            status = file.stat()
            files.append((status.st_mtime, status.st_size, file))
    total = sum(size for _, size, _ in files)
    for _, size, file in sorted(files):
        if total <= MOST:
            break
        with contextlib.suppress(OSError):
            file.unlink()
        total -= size
