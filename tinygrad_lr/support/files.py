"""Check files that a user names, replace a file atomically, and quote text from files safely.

Text from a file is shown through `printable`, so that no name in it can move the cursor.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from ..errors import DataFileError

if sys.platform != "win32":
    import fcntl

PACKAGE = f"{os.path.dirname(os.path.dirname(__file__))}{os.sep}"
"""The folder of tinygrad_lr: a frame whose file begins with it runs code of this package."""


def printable(text: str) -> str:
    r"""Return the text on one line, with control, bidirectional and invisible characters escaped.

    >>> print(printable("score\n\x1b[31m"), printable("abc\u202edef"), printable("naïve"))
    score\n\x1b[31m abc\u202edef naïve
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quote(text: str) -> str:
    """Return the text for an error message: printable, in quotes, cut after 60 characters.

    >>> quote("sat_sum")
    "'sat_sum'"
    """
    shown = printable(text[:60])
    return f"'{shown}...'" if len(text) > 60 else f"'{shown}'"


def quote_names(names: Sequence[str]) -> str:
    """Return the names as a list for an error message: the first twelve, and the number of others.

    >>> quote_names([f"c{i}" for i in range(20)])
    "'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7', 'c8', 'c9', 'c10', 'c11' and 8 more"
    """
    shown = ", ".join(map(quote, names[:12]))
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown


def place_in_file(path: str, line: int | None = None) -> str:
    """Return the beginning of an error message: the file, and the line if there is one.

    >>> place_in_file("scores.csv", 3), place_in_file("")
    ('scores.csv, line 3', "''")
    """
    return (printable(path) or "''") + ("" if line is None else f", line {line}")


def check_regular(path: str) -> None:
    """Raise `DataFileError` unless this is a regular file: reading a pipe or device may never end.

    Raises `OSError` for a path that doesn't exist.
    """
    must, cure = f"{place_in_file(path)}: must be a regular file", "save the data to a file first"
    if path == "-":
        raise DataFileError(f"{must}, got '-', standard input; {cure}")
    _check_characters(path)
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise DataFileError(f"{must}, got a directory; name a file inside it")
    if not stat.S_ISREG(mode):
        raise DataFileError(f"{must}, got a pipe, a socket or a device; {cure}")


def _check_characters(path: str) -> None:
    """Raise `DataFileError` for a NUL or a lone surrogate in the path."""
    try:
        valid = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        valid = False
    if not valid:
        raise DataFileError(
            f"{place_in_file(path)}: must be a regular file, got characters that a path can't "
            "contain; check the path"
        )


def check_outputs(inputs: Sequence[str], outputs: Sequence[str | None]) -> None:
    """Check, before any work, that these files can be written; None for an output is skipped.

    Raises `DataFileError` for an output that is an input or another output, that isn't a regular
    file, or whose folder doesn't exist or is read-only.
    """
    for name in (*inputs, *filter(None, outputs)):
        _check_characters(name)
    taken = {os.path.realpath(path): path for path in reversed(inputs)}
    for path in outputs:
        if path is None:
            continue
        final = os.path.realpath(path)
        if final in taken:
            raise DataFileError(
                f"{place_in_file(path)}: must differ from the other files, got the same file as "
                f"{quote(taken[final])}; name another file"
            )
        taken[final] = path
        folder = os.path.dirname(final)
        if not os.path.isdir(folder):
            raise DataFileError(
                f"{place_in_file(path)}: must be in an existing folder, got a missing one; "
                "create it first"
            )
        if os.path.exists(final) and not os.path.isfile(final):
            raise DataFileError(
                f"{place_in_file(path)}: must be a regular file, got a directory, a pipe or a "
                "device; name another file"
            )
        if not os.access(folder, os.W_OK):
            raise DataFileError(
                f"{place_in_file(path)}: must be in a folder that can be written to, got a "
                "read-only one; write elsewhere"
            )


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check, before any work, that `replace_file` can write here; an existing file is unchanged.

    Raises `DataFileError` as `replace_file` does.
    """
    with _replacement(path) as (_, temporary, file):
        if sys.platform == "win32":
            file.close()
        os.unlink(temporary)


def replace_file(path: str | os.PathLike[str], chunks: Iterable[bytes]) -> None:
    """Replace a file atomically: after an error, the old file is unchanged.

    The bytes are written to a temporary file beside the target, flushed to disk, and renamed over
    the target. An existing file keeps its permissions, a new one gets those of the umask, and a
    symbolic link still points to the same place. If two processes write at once, the later one
    wins. A temporary file that a killed process left behind is reused by the next one.

    Raises `DataFileError` if the target isn't a regular file, or if writing fails.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "note.txt")
    >>> replace_file(file, [b"w = ", b"0.024"])
    >>> file.read_text()
    'w = 0.024'
    """
    with _replacement(path) as (final, temporary, file):
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())
        if sys.platform == "win32":
            file.close()
        os.replace(temporary, final)


@contextlib.contextmanager
def _replacement(path: str | os.PathLike[str]) -> Iterator[tuple[str, str, BinaryIO]]:
    """Return the final path, and an empty file beside it that is to be renamed, or is deleted."""
    name = os.fspath(path)
    try:
        final = os.path.realpath(name)
        mode = os.stat(final).st_mode if os.path.exists(final) else None
        if mode is not None and not stat.S_ISREG(mode):
            raise DataFileError(
                f"{place_in_file(name)}: must be a regular file, got a directory, a pipe or a "
                "device; name another file"
            )
        with _beside(final) as (temporary, file):
            if mode is not None:
                os.chmod(temporary, stat.S_IMODE(mode))
            yield final, temporary, file
    except DataFileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL, or text that has no bytes
        reason = str(getattr(error, "strerror", None) or error)
        raise DataFileError(
            f"{place_in_file(name)}: cannot be written: {reason}; write elsewhere"
        ) from error


@contextlib.contextmanager
def _beside(final: str) -> Iterator[tuple[str, BinaryIO]]:
    """Open an empty file beside the final one, for one writer at a time; it is deleted on error."""
    folder, base = os.path.split(final)
    import hashlib  # here, since it takes as long as ten modules of this package

    digest = hashlib.sha256(os.fsencode(base)).hexdigest()[:16]
    temporary = os.path.join(folder, f".tinygrad_lr-{digest}.tmp")
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    while True:
        file = os.fdopen(os.open(temporary, flags, 0o666), "wb")
        try:
            if _lock(file.fileno(), temporary):
                file.truncate(0)
                try:
                    yield temporary, file
                except BaseException:
                    with contextlib.suppress(OSError):
                        os.unlink(temporary)
                    raise
                return
        finally:
            with contextlib.suppress(OSError):  # a full disk has been reported already
                file.close()


def _lock(descriptor: int, path: str) -> bool:
    """Lock the file; return False if another writer has renamed it in the meantime."""
    if sys.platform == "win32":
        return True
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False
