"""Odd files and paths through the command: it answers, or says why not in one line."""

import gzip
import os
import pickle
import random
import socket
import sys
from pathlib import Path

import pytest

from tinygrad_lr.cli import main
from tinygrad_lr.lesson import rates

ROWS = [[str(i), str(i * 7 % 5), f"{2 * i + i % 3 / 8}"] for i in range(1, 13)]


def text_of(rows, end="\n", head="a,b,y"):
    return "".join(",".join(row) + end for row in [[head], *rows])


GOOD = text_of(ROWS)
BODY = GOOD.partition("\n")[2]


def with_cell(column, cell, every=12):
    """The rows with this cell in a column, in one row or in several."""
    rows = [list(row) for row in ROWS]
    for row in rows[4::every]:
        row[column] = cell
    return text_of(rows)


def mutated(seed):
    """The bytes of the good file, some of which are replaced or missing."""
    draw, data = random.Random(seed), bytearray(GOOD.encode())
    for _ in range(3):
        data[draw.randrange(len(data))] = draw.choice(b'\0",\n\r;\t\x80\xff\x1b -e.')
    return bytes(data[: draw.choice([len(data), draw.randrange(len(data))])])


CELLS = [
    *("nan", "-inf", "", "NA", "1e400", "1e308", "-1e308", "1.7976931348623157e308", "5e-324"),
    *("-0", "1e22", "9007199254740993", "1" * 400, "1e-400", "5.", "0x1p3", "1_0", "１", "1,5"),
    *('"1\n2"', "TRUE", "2024-01-01", "$5", "5%", "−5", "1d5", "(5)", "5 kg", "<5", "=1+1", "--5"),
    *("1 2", "∞", "1/2", "12:30", "#REF!", '" 5 "', "5\t", "9" * 140_000, "x" * 100_000),
]
CHARACTERS = [
    *('\0"\r\x0b\x0c\x1c\x85\u2028\ufeff\u202e\u200b\xa0\t;|\\' + "'\U0001f600"),
    *("\x1b[2J", "\ud800"),
]
ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037", "cp1252"]

FILES = {
    "a cell": {
        (column, cell[:20], every): with_cell(column, cell, every)
        for cell in CELLS
        for column, every in [(0, 12), (2, 12), (2, 2)]
    },
    "a character": {
        (character, place): text
        for character in CHARACTERS
        for place, text in {
            "header": GOOD.replace("b,y", f"b{character},y"),
            "cell": GOOD.replace("4,3,", f"4,{character}3,"),
            "alone": GOOD.replace("4,3,", f"4,{character},"),
            "line": GOOD.replace("4,3,", f"{character}\n4,3,"),
        }.items()
    },
    "bytes": {
        **{name: GOOD.replace("a,", "é,").encode(name, "replace") for name in ENCODINGS},
        **{f"mutated {seed}": mutated(seed) for seed in range(40)},
        **{f"random {seed}": random.Random(seed).randbytes(2000) for seed in range(10)},
        "gzip": gzip.compress(GOOD.encode()),
        "pickle": pickle.dumps(ROWS),
        "latin-1": GOOD.encode() + b"\xe9,2,3\n",
        "cut": GOOD.encode() + "1,é".encode()[:-1],
    },
    "lines": {
        **{end: GOOD.replace("\n", end) for end in ["\r\n", "\r", "\n\r", "\n\n", "\r\r\n", " \n"]},
        **{f"only {text!r}": text for text in ["", "\n", " ", ",", ",,\n,,\n", "a,b,y", "\ufeff"]},
        "no last line end": GOOD[:-1],
        "header": "a,b,y\n",
        "one row": "a,b,y\n1,2,3\n",
        "equal rows": "a,b,y\n1,2,3\n1,2,3\n",
        "short": GOOD + "1,2\n",
        "long": GOOD + "1,2,3,4\n",
        "comma at each end": text_of([[*row, ""] for row in ROWS]),
        "comma at every end": text_of([[*row, ""] for row in ROWS], head="a,b,y,"),
        "many blank lines": "a,b,y\n" + "\n" * 100_000 + BODY,
        "a line too long": GOOD + "1," * 9_000_000,
        "a first line too long": "x" * 17_000_000,
        "wide": "".join(",".join(map(str, row)) + "\n" for row in [range(10**5)] * 3),
        "wide with names": ",".join(f"c{i}" for i in range(10**5))
        + "\n"
        + "1," * (10**5 - 1)
        + "1",
    },
    "quotes": {
        "all": text_of([[f'"{cell}"' for cell in row] for row in ROWS], head='"a","b","y"'),
        "line end in a name": GOOD.replace("a,", '"a\n",'),
        "never closed": GOOD + '"',
        "header never closed": '"' + GOOD,
        "never closed in a large file": 'a,b,y\n"' + BODY * 2000,
        "after a cell": GOOD.replace("4,3", '4"",3'),
        "inside": GOOD.replace("4,3", '"4"5,3'),
        "three": GOOD.replace("4,3", '"""4""",3'),
    },
    "columns": {
        **{head: text_of(ROWS, head=head) for head in ["a,a,y", "A,a,y", "1,2,y", "a,,y", "a, ,y"]},
        **{head: text_of(ROWS, head=head) for head in ['"",b,y', "--x,b,y", "\x1b[31ma,b,y"]},
        "names of numbers": BODY,
        "a long name": text_of(ROWS, head="a" * 5000 + ",b,y"),
        "one": "y\n1\n2\n3\n",
        "one, the feature": "a\n1\n2\n3\n",
        "constant feature": text_of([["1", b, y] for _, b, y in ROWS]),
        "constant target": text_of([[a, b, "1"] for a, b, _ in ROWS]),
        "dependent": text_of([[a, a, y] for a, _, y in ROWS]),
        **{s: GOOD.replace(",", s) for s in [";", "\t", "|", " ", ";;"]},
        "decimal commas": "a;b;y\n1,5;2,5;3\n2,5;1,5;4\n",
        "html": "<html><body>" + GOOD,
        "json": '[{"a": 1, "y": 2}]',
        "markdown": "| a | b | y |\n|---|---|---|\n| 1 | 2 | 3 |\n",
        "comment": "# made by hand\n" + GOOD,
        "separator": "sep=,\n" + GOOD,
        "footer": GOOD + "Total,,100\n",
    },
    "labels": {
        label[:9]: text_of(
            [[a, b, f'"{label}"' if i % 2 else "x"] for i, (a, b, _) in enumerate(ROWS)]
        )
        for label in [
            "\x1b[2J",
            "=A",
            "a,b",
            'a""b',
            "\n",
            "\u202e",
            "x" * 5000,
            " ",
            "É",
            "grade 1",
        ]
    },
}
COMMANDS = [
    ["fit", "f.csv", "--x", "a", "--y", "y", "--steps", "9"],
    ["fit", "f.csv", "--x", "a,b", "--y", "y", "--hidden", "2", "--steps", "3"],
    ["fit", "f.csv", "--x", "a,b", "--y", "y", "--classes", "--steps", "3"],
    ["predict", "line.safetensors", "f.csv", "--out", "out.csv"],
]


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """The file of a model that the command has trained."""
    place = tmp_path_factory.mktemp("line")
    (place / "good.csv").write_text(GOOD, encoding="utf-8")
    fit = ["fit", str(place / "good.csv"), "--x", "a,b", "--y", "y", "--steps", "9"]
    assert main([*fit, "--save", str(place / "line.safetensors")]) == 0
    return place / "line.safetensors"


@pytest.fixture
def folder(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rates, "STEPS", 100)  # of each descent that a line is compared with
    Path("good.csv").write_text(GOOD, encoding="utf-8")
    Path("line.safetensors").write_bytes(line.read_bytes())
    return tmp_path


def complaint(capsys, arguments, refused=False):
    """Describe the fault in an answer of the command; None if there is none."""
    capsys.readouterr()
    status = main(arguments)
    err = capsys.readouterr().err
    if status == 0:
        return [arguments, status, err] if err or refused else None
    whole = err.startswith("tinygrad-lr: ") and err.endswith("\n") and err[:-1].isprintable()
    right = status == 1 and whole and "internal error" not in err and len(err) < 1500
    return None if right else [arguments, status, err[:300]]


def test_there_are_more_than_300_odd_files():
    assert sum(map(len, FILES.values())) > 300


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join([words[0], *words[6:7]]))
@pytest.mark.parametrize("family", FILES)
def test_an_odd_file_is_read_or_refused_in_one_line(capsys, folder, family, command):
    wrong = []
    for name, content in FILES[family].items():
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        Path("f.csv").write_bytes(data)
        answer = complaint(capsys, command)
        wrong += [(name, answer)] if answer else []
    assert wrong == []
    assert {*os.listdir()} <= {"f.csv", "good.csv", "line.safetensors", "out.csv"}


PATHS = [
    *("fifo", "folder", "link", "loop", "gone", "socket", "/dev/zero", "/dev/null", "/dev/stdin"),
    *("/dev/full", "-", "", "a\0b", "\udfff", "x" * 300, "x" * 1000, "good.csv/", "good.csv/x"),
    *("none/x", "*.csv", "\x1b[2J", ".", "/", "/proc/self/mem", "/proc/x"),
]


@pytest.fixture
def odd_paths(folder):
    os.mkfifo("fifo")
    Path("folder").mkdir()
    for name, target in {"link": "fifo", "loop": "loop", "gone": "none"}.items():
        Path(name).symlink_to(target)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        yield folder


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes and devices with a path")
@pytest.mark.parametrize("path", PATHS)
def test_an_odd_path_is_refused_in_one_line(capsys, odd_paths, path):
    fit = ["--x", "a", "--y", "y", "--steps", "3"]
    for arguments in [
        ["fit", path, *fit],
        ["predict", "line.safetensors", path],
        ["predict", path, "good.csv"],
    ]:
        assert complaint(capsys, arguments, refused=True) is None


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes and devices with a path")
@pytest.mark.parametrize("path", sorted({*PATHS} - {"loop", "gone", "*.csv", "\x1b[2J"}))
def test_an_odd_path_is_not_written_to(capsys, odd_paths, path):
    for end in [".safetensors", ".png", ".html", ".csv"]:
        if path in {"fifo", "folder", "socket", "link"}:
            Path(path + end).symlink_to(path)
    fit = ["fit", "good.csv", "--x", "a", "--y", "y", "--steps", "3"]
    for arguments in [
        [*fit, "--save", f"{path}.safetensors"],
        [*fit, "--plot", f"{path}.png"],
        [*fit, "--report", f"{path}.html"],
        ["predict", "line.safetensors", "good.csv", "--out", path],
    ]:
        if path in {"", ".", "-", "good.csv/"} or path.startswith("/dev"):
            arguments[-1] = path
        assert complaint(capsys, arguments, refused=path != "-") is None


@pytest.mark.parametrize("option", ["--save", "--plot", "--report"])
def test_an_output_is_refused_before_the_data_are_read(capsys, folder, option):
    end = {"--save": "safetensors", "--plot": "png", "--report": "html"}[option]
    path = f"none/out.{end}"
    main(["fit", "missing.csv", "--x", "a", "--y", "y", option, path])
    assert f"{path}: must be in an existing folder" in capsys.readouterr().err
