"""Files that users name: errors in one sentence, and atomic replacement.

Text from a file is shown through `printable`, so that no name in it can move a cursor.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn

from ..errors import DataFileError

if sys.platform != "win32":
    import fcntl

PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"
"""The folder of tinygrad_lr: a frame whose file begins with it runs code of this package."""


def printable(text: str) -> str:
    r"""Return the text on one line, with control, bidirectional and invisible marks escaped.

    >>> print(printable("score\n\x1b[31m"), printable("abc\u202edef"), printable("naïve"))
    score\n\x1b[31m abc\u202edef naïve
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quote(text: str) -> str:
    """Return the text for a sentence: printable, in quotation marks, cut after 60 characters.

    >>> quote("sat_sum")
    "'sat_sum'"
    """
    shown = printable(text[:60])
    return f"'{shown}...'" if len(text) > 60 else f"'{shown}'"


def quote_names(names: Sequence[str]) -> str:
    """Return the names for a sentence, twelve of them at most.

    >>> quote_names([f"c{i}" for i in range(20)])
    "'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7', 'c8', 'c9', 'c10', 'c11' and 8 more"
    """
    shown = ", ".join(map(quote, names[:12]))
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown


def refuse(
    path: str, wrong: str, expected: str, given: str, cure: str = "", line: int | None = None
) -> NoReturn:
    """Raise `DataFileError` with the file, the line in it, the fault, and the cure."""
    where = (printable(path) or "''") + ("" if line is None else f", line {line}")
    sentence = f"{where}: {wrong}; expected {expected}, got {given}"
    raise DataFileError(f"{sentence}; {cure}" if cure else sentence)


def check_regular(path: str) -> None:
    """Raise `DataFileError` for a path whose reading would block or never end.

    Raises `OSError` for a path that doesn't exist.
    """
    wrong, expected, cure = "not a file", "a regular file", "save the data to a file first"
    if path == "-":
        refuse(path, wrong, expected, "'-', standard input", cure)
    try:
        mode = os.stat(path).st_mode
    except ValueError:  # a NUL or a lone surrogate in the path
        refuse(path, wrong, expected, "characters that a path can't contain", "check the path")
    if stat.S_ISDIR(mode):
        refuse(path, wrong, expected, "a directory", "name a file inside it")
    if not stat.S_ISREG(mode):
        refuse(path, wrong, expected, "a pipe, a socket or a device", cure)


def check_outputs(inputs: Sequence[str], outputs: Sequence[str | None]) -> None:
    """Raise `DataFileError`, before any work, for outputs that can't or shouldn't be written.

    These are inputs, the same output twice, and outputs in a missing folder. None is skipped.
    """
    taken = {os.path.realpath(path): path for path in reversed(inputs)}
    for path in outputs:
        if path is None:
            continue
        place = os.path.realpath(path)
        if place in taken:
            given = f"that of {quote(taken[place])}"
            refuse(path, "the same file twice", "a file of its own", given, "name another file")
        taken[place] = path
        if not os.path.isdir(os.path.dirname(os.path.realpath(path))):
            refuse(
                path, "its folder doesn't exist", "an existing folder", "none", "create it first"
            )


def replace_file(path: str | os.PathLike[str], chunks: Iterable[bytes]) -> None:
    """Replace a file by bytes atomically, or leave the old file as it was.

    The bytes are written to a temporary file beside the target, synced to disk, and renamed over
    the target. An existing file keeps its permissions, a new one gets those of the umask; a
    symbolic link still points to the same file. Of two concurrent writers the later wins; the
    temporary file of a killed one is reused by the next.

    Raises `DataFileError` for anything but a regular file, and if writing fails.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "note.txt")
    >>> replace_file(file, [b"w = ", b"0.024"])
    >>> file.read_text()
    'w = 0.024'
    """
    name = os.fspath(path)
    try:
        final = os.path.realpath(name)
        mode = os.stat(final).st_mode if os.path.exists(final) else None
        if mode is not None and not stat.S_ISREG(mode):
            given, cure = "a directory, a pipe or a device", "name another file"
            refuse(name, "cannot be replaced", "a regular file", given, cure)
        with _beside(final) as (temporary, file):
            if mode is not None:
                os.chmod(temporary, stat.S_IMODE(mode))
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
            if sys.platform == "win32":
                file.close()
            os.replace(temporary, final)
    except DataFileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL, or text that has no bytes
        reason = str(getattr(error, "strerror", None) or error)
        refuse(name, "cannot be written", "a writable file", reason, "write elsewhere")


@contextlib.contextmanager
def _beside(final: str) -> Iterator[tuple[str, BinaryIO]]:
    """Open an empty file beside the final one, for one writer; it is removed unless renamed."""
    folder, base = os.path.split(final)
    import hashlib  # here, since it takes as long as ten modules of this package

    digest = hashlib.sha256(os.fsencode(base)).hexdigest()[:16]
    temporary = os.path.join(folder, f".tinygrad_lr-{digest}.tmp")
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    while True:
        file = os.fdopen(os.open(temporary, flags, 0o666), "wb")
        try:
            if _locked(file.fileno(), temporary):
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


def _locked(descriptor: int, path: str) -> bool:
    """Lock the file; return False if the previous writer has renamed it meanwhile."""
    if sys.platform == "win32":
        return True
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False
