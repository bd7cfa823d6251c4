"""The command `tinygrad-lr`: its arguments, its exit status, and one line for each failure.

Exit status: 0 success, 1 failure (one line on stderr; a traceback with --debug), 2 wrong usage,
130 interrupted (Ctrl-C), 141 broken pipe, 143 terminated (SIGTERM).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

from .errors import ArgumentError, TinygradError
from .support.version import __version__

PROGRAM = "tinygrad-lr"
NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
MAX_LAYERS, MAX_WIDTH = 100, 2**20
EXAMPLES = f"""examples:
  {PROGRAM} fit                                     the lesson, on SAT scores and GPAs
  {PROGRAM} fit --report lesson.html                the same, and an interactive page
  {PROGRAM} fit students.csv --x sat_sum --y fy_gpa
  {PROGRAM} fit students.csv --x sat_v,sat_m --y fy_gpa --save line.safetensors
  {PROGRAM} fit students.csv --x sat_sum --y fy_gpa --hidden 16,16 --plot out.png
  {PROGRAM} fit flowers.csv --x petal_length,petal_width --y species
  {PROGRAM} predict line.safetensors new.csv --out predictions.csv
"""


class Terminated(BaseException):
    """The process received SIGTERM."""


class Parser(argparse.ArgumentParser):
    """A parser that raises when help can't be written, for example to a full disk."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is not None and file is sys.stdout:
            file.write(message)
        else:
            super()._print_message(message, file)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; `argv` defaults to the process's arguments.

    >>> main(["fit", "--seed", "-1"])
    2
    """
    debug = "--debug" in (sys.argv[1:] if argv is None else argv)
    try:
        importlib.import_module("numpy.random")  # now: a signal during this import would be lost
        with _raise_on_sigterm():
            status = _run(argv)
            if sys.stdout is not None:
                sys.stdout.flush()
            return status
    except TinygradError as error:
        return _report_failure(str(error), debug)
    except KeyboardInterrupt as error:
        _report_failure(str(error) or "interrupted", debug)
        return 130
    except Terminated:
        _report_failure("terminated", debug)
        return 143
    except BrokenPipeError:
        _discard_output()
        return 141
    except OSError as error:  # other files raise DataFileError: this is standard output
        _discard_output()
        return _report_failure(f"cannot write the output: {error.strerror or error}", debug)
    except MemoryError:
        return _report_failure("not enough memory", debug)
    except Exception as error:
        summary = " ".join(f"{type(error).__name__}: {error}".split())
        cure = "" if debug else " (rerun with --debug for the traceback)"
        return _report_failure(f"internal error: {summary:.300}{cure}", debug)


def build_parser() -> Parser:
    """Return the parser of the command's arguments."""
    common = Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    top = Parser(
        prog=PROGRAM,
        description="Gradient descent that shows its work: fit a line or a network to data.",
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
        help="fit a line, a network or a classifier, and explain each step",
        description="Fit a line, a network or a classifier to columns of a CSV file. "
        "Without FILE: the lesson, on SAT scores and GPAs of 1000 students.",
        parents=[common],
        allow_abbrev=False,
    )
    add = fit.add_argument
    add("file", nargs="?", metavar="FILE", help="CSV file with a header line")
    features = "columns to predict from, separated by commas"
    add("--x", action="append", default=[], metavar="COLUMNS", help=features)
    add(
        "--y",
        metavar="COLUMN",
        help="column to predict: numbers, or names such as A1 for a classification",
    )
    at = "feature values to make a prediction for (default: the medians)"
    add("--at", type=_numbers, metavar="NUMBERS", help=at)
    hidden = "widths of a network's hidden layers, such as 16,16 (default: none, a line)"
    add("--hidden", type=_widths, default=(), metavar="WIDTHS", help=hidden)
    activation = "activation of the hidden layers (default: tanh)"
    add("--activation", choices=("tanh", "relu"), default="tanh", help=activation)
    rate = "learning rate (default: 0.1, or less if that is unstable; "
    rate += "0.01 for a classifier with --hidden)"
    add("--learning-rate", "--lr", type=_positive, metavar="RATE", help=rate)
    steps = "maximum number of steps (default: 1000)"
    add("--steps", type=_integer(0), default=1000, metavar="N", help=steps)
    tolerance = "stop when no weight changes by more than this (default: 1e-12)"
    add("--tolerance", type=_nonnegative, default=1e-12, metavar="SIZE", help=tolerance)
    add("--batch-size", type=_integer(1), metavar="N", help="rows per step (default: all)")
    seed = "random seed for initial weights and batch order (default: 0)"
    add("--seed", type=_integer(0), default=0, metavar="N", help=seed)
    raw = "train on the features without standardizing them"
    add("--no-standardize", dest="standardize", action="store_false", help=raw)
    classes = "treat --y as classes, even if it has numbers or text that could be a quantity"
    add("--classes", "--classify", action="store_true", help=classes)
    test = "share of the rows held out to test a classifier (default: 0.2)"
    add("--test", type=_share, metavar="SHARE", help=test)
    add("--save", metavar="FILE", help="save the model (.safetensors)")
    add("--plot", metavar="FILE", help="save a plot (.png, .svg or .pdf)")
    report = "save an interactive page that shows every step (.html)"
    add("--report", metavar="FILE", help=report)
    add("--json", action="store_true", help="print one JSON object instead of text")


def _add_predict(commands: Any, common: Parser) -> None:
    predict = commands.add_parser(
        "predict",
        help="predict with a saved model",
        description="Add a column of predictions to a CSV file.",
        parents=[common],
        allow_abbrev=False,
    )
    predict.add_argument("model", metavar="MODEL", help="file written by fit --save")
    predict.add_argument("file", metavar="FILE", help="CSV file with the columns used in training")
    out = "write to this file instead of standard output"
    predict.add_argument("--out", metavar="FILE", help=out)


def _run(argv: Sequence[str] | None) -> int:
    """Parse the arguments and run the command."""
    try:
        arguments = build_parser().parse_args(argv)
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
    if arguments.file is not None:
        lesson.check_paths(arguments.file, **outputs)
    with _reading(arguments.file) as progress:
        data = lesson.read_data(
            *columns,
            classes=arguments.classes,
            constants=bool(settings.hidden),
            progress=progress,
        )
    parts: Iterator[Any]
    if isinstance(data, lesson.ClassProblem):
        parts = lesson.classify(data, settings, test=arguments.test, **outputs)
    elif arguments.test is not None:
        raise ArgumentError(
            "--test: --y must be a class, got numbers; pass --classes, or leave out --test"
        )
    else:
        parts = lesson.run(data, settings, **outputs)
    if arguments.json:
        _emit(json.dumps(lesson.as_object(parts), indent=2, allow_nan=False))
        return
    writer = lesson.Writer.for_stream(sys.stdout)
    for part in parts:
        _emit("\n".join(writer.lines(part)))


def _predict(arguments: argparse.Namespace) -> None:
    import tempfile

    from . import lesson
    from .support.files import replace_file

    lesson.check_outputs([arguments.model, arguments.file], [arguments.out])
    predictor = lesson.load_predictor(arguments.model)
    with _reading(arguments.file) as progress:
        lines = lesson.predict_file(predictor, arguments.file, progress)
        if arguments.out is not None:
            replace_file(arguments.out, (text.encode() for text in lines))
            return
        _check_output()
        with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as whole:
            whole.writelines(lines)  # a bad row is refused before anything is printed
            whole.seek(0)
            if hasattr(sys.stdout, "reconfigure"):
                sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # whatever the terminal
            while text := whole.read(2**20):
                sys.stdout.write(text)


@contextlib.contextmanager
def _reading(path: str | None) -> Iterator[Callable[[int], object] | None]:
    """Show how much of a file has been read, from a second on, if stderr is a terminal."""
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if path is None or not terminal or importlib.util.find_spec("tqdm") is None:
        yield None
        return
    from tqdm import tqdm

    from .support.files import printable

    size = os.path.getsize(path) if os.path.isfile(path) else None
    text = f"reading {printable(os.path.basename(path)):.40}"
    options: dict[str, Any] = {"unit": "B", "unit_scale": True, "delay": 1.0, "leave": False}
    with tqdm(total=size, desc=text, file=sys.stderr, **options) as bar:
        yield bar.update


def _emit(text: str) -> None:
    """Print and flush, in characters that the output can encode."""
    from .lesson.style import to_encodable

    _check_output()
    print(to_encodable(text, sys.stdout.encoding), flush=True)


def _check_output() -> None:
    if sys.stdout is None:
        raise OSError("standard output is closed")


def _report_failure(message: str, debug: bool) -> int:
    """Print one line on stderr, after the traceback with --debug, and return exit status 1."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            if debug:
                traceback.print_exc()
            print(f"{PROGRAM}: {message}", file=sys.stderr)
    return 1


def _discard_output() -> None:
    """Send what is still in the buffer to the null device, so that Python's last flush succeeds."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


@contextlib.contextmanager
def _raise_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that files stay whole."""

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
    """Parse a finite decimal number in ASCII digits: neither nan nor 1_000 nor 1e999."""
    value = float(text) if re.fullmatch(NUMBER, text, re.ASCII) else float("nan")
    if not abs(value) < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a finite number, got {text!r:.60}")
    return value


def _positive(text: str) -> float:
    value = _number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"must be positive, got {text!r:.60}")
    return value


def _nonnegative(text: str) -> float:
    value = _number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, got {text!r:.60}")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 0 and below 1, got {text!r:.60}")
    return value


def _integer(low: int) -> Any:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,15}", text, re.ASCII) or int(text) < low:
            raise argparse.ArgumentTypeError(f"must be an integer >= {low}, got {text!r:.60}")
        return int(text)

    return parse


def _widths(text: str) -> tuple[int, ...]:
    widths = tuple(map(_integer(1), text.split(",")))
    if len(widths) > MAX_LAYERS or max(widths) > MAX_WIDTH:
        raise argparse.ArgumentTypeError(
            f"must have at most {MAX_LAYERS} layers, each at most {MAX_WIDTH} wide"
        )
    return widths


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(map(_number, text.split(",")))
