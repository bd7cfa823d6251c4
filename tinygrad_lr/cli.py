"""The command `tinygrad-lr`: its arguments, its exit status, and one line for whatever goes wrong.

Exit status: 0 done, 1 failed (one line on stderr; a traceback with --debug), 2 wrong usage,
130 interrupted (Ctrl-C), 141 nobody reads the output any more, 143 terminated.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

from .errors import ArgumentError, TinygradError, bad_argument
from .support.version import __version__

PROGRAM = "tinygrad-lr"
NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
QUANTITY = {"expected": "a class in --y", "given": "numbers", "cure": "pass --classify, or drop it"}
EXAMPLES = f"""examples:
  {PROGRAM} fit                                     the lesson: SAT scores and GPAs
  {PROGRAM} fit --report lesson.html                the same, as a page to play with
  {PROGRAM} fit students.csv --x sat_sum --y fy_gpa
  {PROGRAM} fit students.csv --x sat_v,sat_m --y fy_gpa --save line.safetensors
  {PROGRAM} fit students.csv --x sat_sum --y fy_gpa --hidden 16,16 --plot out.png
  {PROGRAM} fit flowers.csv --x petal_length,petal_width --y species
  {PROGRAM} predict line.safetensors new.csv --out predictions.csv
"""


class Terminated(BaseException):
    """SIGTERM."""


class Parser(argparse.ArgumentParser):
    """A parser that says so when help cannot be written, as on a full disk."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is not None and file is sys.stdout:
            file.write(message)
        else:
            super()._print_message(message, file)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (those of the process if None): its exit status.

    >>> main(["fit", "--seed", "-1"])
    2
    """
    debug = "--debug" in (sys.argv[1:] if argv is None else argv)
    try:
        importlib.import_module("numpy.random")  # now: a signal within this import would be lost
        with _terminable():
            status = _command(argv)
            if sys.stdout is not None:
                sys.stdout.flush()
            return status
    except TinygradError as error:
        return _failed(str(error), debug)
    except KeyboardInterrupt as error:
        _failed(str(error) or "interrupted", debug)
        return 130
    except Terminated:
        _failed("terminated", debug)
        return 143
    except BrokenPipeError:
        _abandon_output()
        return 141
    except OSError as error:  # files tell of themselves: this is the output
        _abandon_output()
        return _failed(f"cannot write the output: {error.strerror or error}", debug)
    except MemoryError:
        return _failed("not enough memory for this", debug)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return _failed(f"a fault of {PROGRAM}: {said:.300}; --debug shows where", debug)


def parser() -> Parser:
    """The arguments that there are."""
    common = Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show a traceback on failure")
    top = Parser(
        prog=PROGRAM,
        description="Gradient descent that shows its work: a line, or a network, through data.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_fit(commands, common)
    _add_predict(commands, common)
    return top


def _add_fit(commands: Any, common: Parser) -> None:
    fit = commands.add_parser(
        "fit",
        help="learn a line or a network, and explain how",
        description="Without FILE: the lesson on SAT scores and GPAs of 1000 students.",
        parents=[common],
        allow_abbrev=False,
    )
    add = fit.add_argument
    add("file", nargs="?", metavar="FILE", help="a CSV file with a header line")
    add("--x", action="append", default=[], metavar="COLUMNS", help="predict from these columns")
    add("--y", metavar="COLUMN", help="predict this column")
    add("--at", type=_numbers, metavar="NUMBERS", help="predict here (the medians)")
    add("--hidden", type=_widths, default=(), metavar="WIDTHS", help="a network, such as 16,16")
    add("--activation", choices=("tanh", "relu"), default="tanh", help="the network's (tanh)")
    rate = "the step's size (0.1, or less where that is too much)"
    add("--learning-rate", "--lr", type=_positive, metavar="RATE", help=rate)
    add("--steps", type=_whole(0), default=1000, metavar="N", help="at most so many (1000)")
    tolerance = "stop when no weight changes by more (1e-12)"
    add("--tolerance", type=_nonnegative, default=1e-12, metavar="SIZE", help=tolerance)
    add("--batch-size", type=_whole(1), metavar="N", help="rows a step (all)")
    add("--seed", type=_whole(0), default=0, metavar="N", help="for first weights and batches (0)")
    raw = "learn on the features as they are"
    add("--no-standardize", dest="standardize", action="store_false", help=raw)
    add("--classify", action="store_true", help="numbers in --y are classes (words always are)")
    add("--test", type=_share, metavar="SHARE", help="rows to judge a classifier by (0.2)")
    add("--save", metavar="FILE", help="write what was learnt (.safetensors)")
    add("--plot", metavar="FILE", help="draw it (.png, .svg or .pdf)")
    add("--report", metavar="FILE", help="write a page that shows every step (.html)")
    add("--json", action="store_true", help="print one JSON object, for programs")


def _add_predict(commands: Any, common: Parser) -> None:
    predict = commands.add_parser(
        "predict",
        help="use what was learnt on new rows",
        description="Adds a column of predictions to a CSV file.",
        parents=[common],
        allow_abbrev=False,
    )
    predict.add_argument("model", metavar="MODEL", help="what fit --save wrote")
    predict.add_argument("file", metavar="FILE", help="a CSV file with the columns learnt from")
    predict.add_argument("--out", metavar="FILE", help="write there, not to standard output")


def _command(argv: Sequence[str] | None) -> int:
    """Parse and run."""
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 2
    if arguments.command == "predict":
        _predict(arguments)
    else:
        _fit(arguments)
    return 0


def _fit(arguments: argparse.Namespace) -> None:
    from . import lesson

    settings = lesson.Settings(
        learning_rate=arguments.learning_rate,
        steps=arguments.steps,
        tolerance=arguments.tolerance,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        standardize=arguments.standardize,
        hidden=arguments.hidden,
        activation=arguments.activation,
        at=arguments.at,
    )
    columns = (arguments.file, arguments.x, arguments.y)
    outputs = {"save": arguments.save, "plot": arguments.plot, "report": arguments.report}
    classes = lesson.read_classes(*columns, classify=arguments.classify)
    parts: Iterator[Any]
    if classes is not None:
        parts = lesson.classify(classes, settings, test=arguments.test, **outputs)
    else:
        if arguments.test is not None:
            raise ArgumentError(
                bad_argument("--test", "a quantity is learnt from all rows", **QUANTITY)
            )
        problem = lesson.read_problem(*columns, constants=bool(settings.hidden))
        parts = lesson.run(problem, settings, **outputs)
    if arguments.json:
        _emit(json.dumps(lesson.as_object(parts), indent=2, allow_nan=False))
        return
    writer = lesson.Writer.for_stream(sys.stdout)
    for part in parts:
        _emit("\n".join(writer.lines(part)))


def _predict(arguments: argparse.Namespace) -> None:
    from . import lesson
    from .support.csv_files import write_table

    lesson.check_outputs([arguments.model, arguments.file], [arguments.out])
    predictor = lesson.load_predictor(arguments.model)
    names, columns = lesson.predict_file(predictor, arguments.file)
    if arguments.out is not None:
        write_table(arguments.out, names, columns)
    else:
        _check_output()
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # CSV is, whatever the terminal
        write_table(sys.stdout, names, columns)


def _emit(text: str) -> None:
    """Print at once, in characters that the output has."""
    from .lesson.style import spelt

    _check_output()
    print(spelt(text, sys.stdout.encoding), flush=True)


def _check_output() -> None:
    if sys.stdout is None:
        raise OSError("standard output is closed")


def _failed(message: str, debug: bool) -> int:
    """One line on stderr, after the traceback if that was asked for."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            if debug:
                traceback.print_exc()
            print(f"{PROGRAM}: {message}", file=sys.stderr)
    return 1


def _abandon_output() -> None:
    """What is still in the buffer goes nowhere, so that Python's own last flush succeeds."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the command as an exception does: files stay whole."""

    def terminate(number: int, frame: FrameType | None) -> NoReturn:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _number(text: str) -> float:
    """A finite decimal number in ASCII digits: neither nan nor 1_000 nor 1e999."""
    value = float(text) if re.fullmatch(NUMBER, text, re.ASCII) else float("nan")
    if not abs(value) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r:.60} is no finite number")
    return value


def _positive(text: str) -> float:
    value = _number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is not above 0")
    return value


def _nonnegative(text: str) -> float:
    value = _number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is below 0")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is no share from 0 to below 1")
    return value


def _whole(least: int) -> Any:
    def whole(text: str) -> int:
        if not re.fullmatch(r"\d{1,15}", text, re.ASCII) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r:.60} is no whole number from {least}")
        return int(text)

    return whole


def _widths(text: str) -> tuple[int, ...]:
    widths = tuple(map(_whole(1), text.split(",")))
    if len(widths) > 100 or max(widths) > 2**20:
        raise argparse.ArgumentTypeError("more than 100 layers, or a layer wider than 2^20")
    return widths


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(map(_number, text.split(",")))
