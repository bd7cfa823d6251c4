"""The cache of compiled object files, in a directory that belongs to this user alone.

An object file is code that will be run, so nothing is read from a directory that somebody else
could write to: it must be owned by the user, with no permissions for others, and so must each file.
A file begins with a digest of its name and its code. The name is a digest of what the code does, so
neither a damaged file nor one under the name of another is run. A file is written under a temporary
name and renamed, so other processes never see part of one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

DIRECTORY_VARIABLE = "TINYGRAD_LR_CACHE"
FORMAT = "2"
MAX_CACHE_BYTES = 64 << 20  # the oldest files beyond it are deleted
MAX_UNTRIMMED_BYTES = MAX_CACHE_BYTES // 64  # written between two looks at the whole directory
UNTRIMMED = [MAX_UNTRIMMED_BYTES]  # sizes of what this process wrote since: its first write looks
OWN_FILE = re.compile(r"[0-9a-f]{64}(\.o|-\w+)")  # an object, or one that is being written
CODE_FOLDERS = ("ir", "llvm")  # of the compiler: what decides which code is emitted
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


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
    with contextlib.suppress(OSError):
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode) and is_private(status):
            return path
    return None


def is_private(status: os.stat_result) -> bool:
    """Return True if a file or directory is this user's, and others may not read or write it."""
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        return False
    return not status.st_mode & 0o077


def is_private_file(status: os.stat_result) -> bool:
    """Return True for a private regular file, which is not larger than the cache may be."""
    regular = stat.S_ISREG(status.st_mode)
    return regular and is_private(status) and status.st_size <= MAX_CACHE_BYTES


def make_name(key: str, cpu: str, features: str) -> str:
    """Return the name of an object: a digest of what the program does, versions, and the CPU."""
    version = ".".join(map(str, llvm.llvm_version_info))
    whole = "\0".join([FORMAT, llvmlite.__version__, version, source_digest(), cpu, features, key])
    return hashlib.sha256(whole.encode()).hexdigest()


@functools.cache
def source_digest() -> str:
    """Return a digest of the compiler's source files: another version of them emits other code."""
    digest = hashlib.sha256()
    compiler = Path(__file__).parent.parent
    for folder in CODE_FOLDERS:
        for file in sorted((compiler / folder).rglob("*.py")):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def file_digest(name: str, body: bytes) -> bytes:
    """Return the digest that a file begins with."""
    return hashlib.sha256(name.encode() + b"\0" + body).digest()


def read(name: str) -> bytes | None:
    """Return an object, if it is in the cache and complete."""
    path = find_directory()
    if path is None:
        return None
    file = path / f"{name}.o"
    try:
        if not is_private_file(file.lstat()):  # opening a device or a pipe may have effects
            return None
        with open(os.open(file, OPEN_FLAGS), "rb") as opened:
            if not is_private_file(os.fstat(opened.fileno())):
                return None
            data = opened.read()
    except OSError:
        return None
    digest, body = data[:32], data[32:]
    if file_digest(name, body) != digest:
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
        handle, temporary = tempfile.mkstemp(dir=path, prefix=f"{name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(file_digest(name, body) + body)
            os.replace(temporary, path / f"{name}.o")
        except BaseException:
            os.unlink(temporary)
            raise
        UNTRIMMED.append(len(body))
        if sum(UNTRIMMED) > MAX_UNTRIMMED_BYTES:
            UNTRIMMED.clear()
            _trim(path)
    except OSError:
        return


def _trim(path: Path) -> None:
    """Delete the oldest files beyond the size of the cache."""
    files = []
    for file in filter(lambda file: OWN_FILE.fullmatch(file.name), path.iterdir()):
        with contextlib.suppress(OSError):
            status = file.lstat()
            files.append((status.st_mtime, status.st_size, file))
    total = sum(size for _, size, _ in files)
    for _, size, file in sorted(files):
        if total <= MAX_CACHE_BYTES:
            break
        with contextlib.suppress(OSError):
            file.unlink()
        total -= size
