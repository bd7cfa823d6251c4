"""The cache of compiled object files, in a directory that belongs to this user alone.

An object file is code that will be run, so nothing is read from a directory that somebody else
could write to: it must be owned by the user, with no permissions for others, and so must each file.
A file is written under a temporary name and renamed, so other processes never see part of one.
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

DIRECTORY_VARIABLE = "TINYGRAD_LR_CACHE"
FORMAT = "1"
MAX_CACHE_BYTES = 64 << 20  # the oldest files beyond it are deleted


@functools.cache
def find_directory() -> Path | None:
    """Return the directory of the cache; None if none is safe, or the variable is empty."""
    named = os.environ.get(DIRECTORY_VARIABLE)
    if named == "":
        return None
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = Path(named) if named else Path(home) / "tinygrad_lr"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return path if is_private(path) else None


def is_private(path: Path) -> bool:
    """Return True if a file or directory is this user's, and others may not read or write it."""
    try:
        status = path.lstat()
    except OSError:
        return False
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        return False
    return not stat.S_ISLNK(status.st_mode) and not status.st_mode & 0o077


def make_name(key: str, cpu: str, features: str) -> str:
    """Return the name of an object: a digest of what the program does, versions, and the CPU."""
    version = ".".join(map(str, llvm.llvm_version_info))
    whole = "\0".join([FORMAT, llvmlite.__version__, version, source_digest(), cpu, features, key])
    return hashlib.sha256(whole.encode()).hexdigest()


@functools.cache
def source_digest() -> str:
    """Return a digest of the source files here: another version of them emits other code."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def read(name: str) -> bytes | None:
    """Return an object, if it is in the cache and complete."""
    path = find_directory()
    if path is None:
        return None
    file = path / f"{name}.o"
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
    """Store an object. If that fails, the program is compiled again next time."""
    path = find_directory()
    if path is None:
        return
    try:
        handle, temporary = tempfile.mkstemp(dir=path, prefix="new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(body).digest() + body)
            os.replace(temporary, path / f"{name}.o")
        except BaseException:
            os.unlink(temporary)
            raise
        _trim(path)
    except OSError:
        return


def _trim(path: Path) -> None:
    files = []
    for file in path.glob("*.o"):
        with contextlib.suppress(OSError):
            status = file.stat()
            files.append((status.st_mtime, status.st_size, file))
    total = sum(size for _, size, _ in files)
    for _, size, file in sorted(files):
        if total <= MAX_CACHE_BYTES:
            break
        with contextlib.suppress(OSError):
            file.unlink()
        total -= size
