"""CSV files: what is read, the sentence for each bad one, and what is written.

Where polars is installed everything runs twice: polars reads large files, here all of them.
"""

import importlib.util
import io
import math
import os
import stat
import sys
import unicodedata
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tinygrad_lr.errors import ArgumentError, DataFileError
from tinygrad_lr.support.csv_files import cells as cells_module
from tinygrad_lr.support.csv_files import (
    column_notes,
    could_be_quantity,
    is_number,
    open_blocks,
    printable,
    read_table,
    write_table,
)
from tinygrad_lr.support.csv_files.cells import bulk_parser, parse_cells, parse_numbers

needs_polars = pytest.mark.skipif(not importlib.util.find_spec("polars"), reason="needs polars")


@pytest.fixture(
    scope="module", autouse=True, params=["NumPy", pytest.param("polars", marks=needs_polars)]
)
def parser(request):
    """What turns the text of plain rows into numbers."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "polars":
            patch.setattr(cells_module, "MIN_POLARS_SIZE", 0)
        yield request.param


READS = {  # bytes of a file -> its matrix of x and y
    b"x,y\n1,2\n3,4\n": [[1, 2], [3, 4]],
    b"x,y\n1,2\n3,4": [[1, 2], [3, 4]],
    b"x,y\r\n1,2\r\n3,4\r\n": [[1, 2], [3, 4]],
    b"x,y\r1,2\r3,4": [[1, 2], [3, 4]],
    b"\xef\xbb\xbfx,y\n1,2\n": [[1, 2]],
    b'\xef\xbb\xbf"x","y"\n"1","2"\n': [[1, 2]],
    b"\n\nx,y\n\n1,2\n  \n\n3,4\n\n": [[1, 2], [3, 4]],
    b" x ,\ty\n 1 , 2\t\n": [[1, 2]],
    b'name,x,y\n"two\nlines, ""quoted""",1,2\n': [[1, 2]],
    b'name, x, y\nAda, "1", "2"\n': [[1, 2]],
    "x,größe,y\n1,π,2\n".encode(): [[1, 2]],
    b"y,x\n.5,1.\n+1E-3,-2e5\n": [[1, 0.5], [-2e5, 1e-3]],
    b"x,y\n1e-400,-0\n": [[0, 0]],
    b"name,x,y\n,1,2\n": [[1, 2]],
}

BAD = {  # what is wrong -> bytes of a file, words that the sentence holds
    "empty": (b"", "an empty file"),
    "only a mark": (b"\xef\xbb\xbf", "an empty file"),
    "only blank lines": (b"\n\n  \n", "an empty file"),
    "header only": (b"x,y\n", "line 1: must be followed by rows, got a header alone"),
    "unknown column": (
        b"x,Yy\n1,2\n",
        "column must be one of 'x', 'Yy', got 'y'; did you mean 'Yy'?",
    ),
    "text": (
        b"x,y\n1,2\n3,four\n",
        "line 3, column 'y': must be a number; got text, 'four'; correct",
    ),
    "empty cell": (b"x,y\n1,\n", "line 2, column 'y'; got an empty cell; fill it in"),
    "blank cell": (b"x,y\n1,  \n", "line 2, column 'y'; got an empty cell; fill"),
    "short row": (b"x,y\n1,2\n3\n", "line 3: must have 2 cells; got 1; add 'y'"),
    "long row": (b"x,y\n1,2\n3,4,5\n", "line 3: must have 2 cells; got 3; point"),
    "row ends in comma": (b"x,y\n1,2,\n", "line 2: must have 2 cells; end no line with a comma"),
    "line after quotes": (b'n,x,y\n"a\nb",1,2\nc,d,3\n', "line 4, column 'x'; got text, 'd'"),
    "line after blanks": (b"x,y\n\n\n1,2\n\nz,4\n", "line 6, column 'x'; got text, 'z'"),
    "nan": (b"x,y\n1,nan\n", "line 2, column 'y'; got a missing or infinite value, 'nan'"),
    "NA": (b"x,y\n1,NA\n", "missing or infinite value, 'NA'"),
    "error of a sheet": (b"x,y\n1,#DIV/0!\n", "missing or infinite"),
    "inf": (b"x,y\n-Inf,1\n", "column 'x'; got a missing or infinite value"),
    "1e400": (b"x,y\n1,1e400\n", "too large for float64, '1e400'"),
    "400 digits": (b"x,y\n1," + b"9" * 400 + b"\n", "too large for float64"),
    "underscore": (b"x,y\n1,1_000\n", "another notation, '1_000'; the digits 0 to 9"),
    "full width": ("x,y\n1,１２\n".encode(), "another notation"),
    "Arabic digits": ("x,y\n1,٣\n".encode(), "another notation"),
    "no-break space": ("x,y\n1,\u00a02\n".encode(), "line 2, column 'y'; , '\\xa02'"),
    "two points": (b"x,y\n1,1.234.567\n", "line 2, column 'y'; separators inside a number"),
    "only a sign": (b"x,y\n1,+\n", "line 2, column 'y'; , '+'"),
    "truth value": (b"x,y\n1,True\n", "a truth value, 'True'; write 1 or 0"),
    "date": (b"x,y\n1,2024-05-01\n", "a date or a time; days since"),
    "time": (b"x,y\n1,12:30\n", "a date or a time"),
    "decimal comma": (b'x,y\n1,"2,5"\n', "a comma inside a number; decimals with a point"),
    "thousands": (b'x,y\n1,"1,234.5"\n', "separators inside a number; write 1234.5"),
    "percent": (b"x,y\n1,10%\n", "a percentage, '10%'; write the number alone"),
    "money": (b"x,y\n1,$10\n", "an amount of money, '$10'"),
    "decimal comma, money": ('x,y\n1,"10,50 €"\n'.encode(), "an amount of money, '10,50 €'"),
    "unit": (b"x,y\n1,10 kg\n", "a number with letters after it, '10 kg'"),
    "suffix": (b"x,y\n1,10k\n", "a number with letters after it, '10k'"),
    "minus sign": ("x,y\n1,−10\n".encode(), "another minus sign, '−10'; write '-'"),
    "minus in exponent": ("x,y\n1,1e−5\n".encode(), "another minus sign, '1e−5'; write '-'"),
    "Fortran": (b"x,y\n1,1.0D+00\n", "an exponent after 'd', '1.0D+00'; write 1.5e3"),
    "parentheses": (b"x,y\n1,(10)\n", "a number in parentheses, '(10)'; '-'"),
    "hexadecimal": (b"x,y\n1,0x10\n", "another notation, '0x10'"),
    "fraction": (b"x,y\n1,1/2\n", "a fraction, '1/2'; write 0.5"),
    "one half": ("x,y\n1,½\n".encode(), "a fraction, '½'"),
    "month": (b"x,y\n1,5 May 2020\n", "a date or a time"),
    "bound": (b"x,y\n1,<5\n", "a bound or an approximate number, '<5'"),
    "approximate": (b"x,y\n1,~3\n", "a bound or an approximate number, '~3'"),
    "bare decimal commas": (
        b"x,y\n1,5,2,5\n",
        "line 2: must have 2 cells; write decimals with a point",
    ),
    "one name twice": (b"x,y, x\n1,2,3\n", "line 1: column names must be unique, got 'x' twice"),
    "no name": (
        b",x,y\n0,1,2\n",
        "line 1: each column must have a name, got none for column 1 of 3",
    ),
    "header ends in comma": (b"x,y,\n1,2,\n", "none for column 3 of 3; end with a comma?"),
    "no header": (
        b"1,2\n3,4\n",
        "line 1; header line of column names, got numbers, '1', '2'; add a line of names",
    ),
    "semicolons": (
        b"x;y\n1;2\n",
        "line 1: the separator must be a comma, got what seems to be ';'",
    ),
    "semicolons, quotes": (
        b'"x";"y"\n"1";"2"\n',
        "line 1: the separator must be a comma, got what seems to be ';'",
    ),
    "semicolons, commas": (
        b"x;y\n1,5;2,5\n",
        "line 1: the separator must be a comma, got what seems to be ';'; with a point",
    ),
    "tabs": (b"x\ty\n1\t2\n", "line 1: the separator must be a comma, got what seems to be '\\t'"),
    "semicolon row": (b"x,y\n1,2;3\n", "line 2, column 'y'; several cells in one"),
    "UTF-16": ("x,y\n1,2\n".encode("utf-16"), "line 1: must be UTF-8 text; perhaps of UTF-16"),
    "UTF-16, no mark": (
        "x,y\n1,2\n".encode("utf-16-le"),
        "line 1: must be UTF-8 text; a NUL byte; UTF-16",
    ),
    "latin-1": ("x,y\n1,2\né,3\n".encode("latin-1"), "line 3: must be UTF-8 text; 0xe9; latin-1"),
    "cut UTF-8": ("x,y\n1,é".encode()[:-1], "line 2: must be UTF-8 text"),
    "unclosed": (b'x,y\n1,2\n"3,4\n5,6\n', "line 3: a quotation mark must be closed"),
    "unclosed later": (b'n,x\n"a\nb","1\n2\n', "line 3: a quotation mark must be closed"),
    "unclosed at the end": (b'x,y\n1,"', "line 2: a quotation mark must be closed"),
    "mark inside": (
        b'x,y\n"1"0,2\n',
        "line 2: quotation marks inside a quoted cell must be doubled",
    ),
    "NUL": (b"x,y\n1,2\n\0,3\n", "line 3: must be UTF-8 text, got a NUL byte"),
    "huge cell": (b"x,y\n1,2\n1," + b"a" * 140_000, "line 3: a cell must be at most 128 KB"),
    "huge text": (b"x,y\n1," + b"a" * 130_000, "line 2, column 'y'; got text, 'aaaaaa"),
    "escapes": (b"x,y\n1,\x1b[31mred\n", "got text, '\\x1b[31mred'"),
    "name with line end": (b'x,"y\n\x1b"\n1,2\n', "one of 'x', 'y\\n\\x1b'"),
    "right to left": ("x,y\n1,\u202e12\n".encode(), ", '\\u202e12'"),
}


def saved(tmp_path, content):
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    return path


def sentence(path, columns=("x", "y")):
    with pytest.raises(DataFileError) as caught:
        read_table(path).matrix(columns)
    assert str(caught.value).isprintable(), "one line, nothing that moves a cursor"
    assert len(str(caught.value)) < 1000
    return str(caught.value)


@pytest.mark.parametrize("content", READS, ids=repr)
def test_well_formed_files_simply_read(tmp_path, content):
    table = read_table(saved(tmp_path, content))
    assert table.matrix(["x", "y"]).tolist() == READS[content]
    assert table.rows == len(READS[content])


@pytest.mark.parametrize("wrong", BAD)
def test_a_bad_file_gives_one_sentence(tmp_path, wrong):
    content, words = BAD[wrong]
    path = saved(tmp_path, content)
    message = sentence(path)
    assert message.startswith(str(path))
    for part in words.split("; "):
        assert part in message, message


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing.csv", "No such file"),
        ("", "No such file"),
        (".", "a directory"),
        ("-", "standard input"),
        ("a\0b", "characters that a path can't contain"),
        ("\udfff", "characters that a path can't contain"),
        ("x" * 5000, "too long"),
        ("/dev/zero", "a device"),
        ("/dev/null", "a device"),
    ],
)
def test_a_path_without_a_file_gives_one_sentence(tmp_path, monkeypatch, path, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataFileError, match=words) as caught:
        read_table(path)
    assert str(caught.value).isprintable()


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "a pipe" in sentence(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_gives_one_sentence(tmp_path):
    path = saved(tmp_path, b"x,y\n1,2\n")
    path.chmod(0)
    assert "Permission denied" in sentence(path)


def test_a_file_without_line_ends_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("tinygrad_lr.support.csv_files.blocks.MAX_LINE", 1000)
    assert "must be at most 1000 characters long" in sentence(
        saved(tmp_path, b"x,y\n" + b"1," * 1000)
    )


def test_only_the_columns_asked_for_need_be_numeric(tmp_path):
    table = read_table(saved(tmp_path, b"name,x\nAda,1\n Alan ,2\nAda,3\n"), text=["name"])
    assert table.numbers("x").tolist() == [1, 2, 3]
    labels = table.labels["name"]
    assert (labels.cells, labels.lines) == (("Ada", "Alan"), (2, 3))
    assert labels.codes.tolist() == [0, 1, 0] and labels.complete


def test_only_the_chosen_columns_are_kept(tmp_path):
    table = read_table(saved(tmp_path, b"name,x\nAda,1\n"), columns=["x"])
    assert table.names == ("name", "x")
    with pytest.raises(ArgumentError, match="must be a column that was read as numbers, 'x', got"):
        table.numbers("name")


def test_an_unknown_column_is_refused_before_the_rows_are_read(tmp_path):
    with pytest.raises(DataFileError, match="did you mean 'sat_sum'"):
        read_table(saved(tmp_path, b'SAT,sat_sum\n"'), columns=["sat_sun"])


def test_many_names_are_cut_short_in_a_sentence(tmp_path):
    header = ",".join(f"c{i}" for i in range(10_000))
    assert "and 9988 more" in sentence(saved(tmp_path, f"{header}\n{header}\n".encode()))


def test_lines_are_right_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("tinygrad_lr.support.csv_files.blocks.BLOCK_SIZE", 30)
    rows = [f"{i},{i}" for i in range(100)]
    path = saved(tmp_path, "\n\n".join(["x,y", *rows]).encode())
    with open_blocks(path) as (file, _, names):
        assert [line for block in file.blocks(names) for line in block.lines] == [*range(3, 203, 2)]
    assert read_table(path).numbers("y").tolist() == list(range(100))
    rows[70] = "70,oops"
    assert "line 143, column 'y'" in sentence(saved(tmp_path, "\n\n".join(["x,y", *rows]).encode()))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x\n3\n3.0\n", "every row holds 3.0"),
        (b"x,y\n1,1\n2,2\n", "equal to column 'x'"),
        (b"x\n1\n9007199254740993\n", "line 3 loses digits: 9007199254740993 is read as 90"),
    ],
)
def test_what_is_odd_is_noted(tmp_path, content, words):
    table = read_table(saved(tmp_path, content))
    (note,) = column_notes(table, table.names)
    assert words in note
    assert note.isprintable()


@pytest.mark.parametrize(
    "content", [b"x\n1\n", b"x,y\n0,1\n1,0\n", b"x\n1e300\n9007199254740994\n"]
)
def test_what_is_usual_is_not_noted(tmp_path, content):
    table = read_table(saved(tmp_path, content))
    assert column_notes(table, table.names) == ()


def test_printable_text_stays_and_the_rest_is_escaped():
    assert printable("naïve 日本") == "naïve 日本"
    assert printable("\x1b[0m\r\n\u202e\u2028\udcff\0") == r"\x1b[0m\r\n\u202e\u2028\udcff\x00"


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
matrices = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=finite)


@pytest.mark.slow
@given(matrices)
def test_numbers_come_back_bit_for_bit(tmp_path_factory, matrix):
    path = tmp_path_factory.getbasetemp() / "numbers.csv"
    names = [f"column {i}" for i in range(matrix.shape[1])]
    write_table(path, names, list(matrix.T))
    assert read_table(path).matrix(names).tobytes() == matrix.tobytes()


harmless = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@pytest.mark.slow
@given(st.lists(harmless.filter(lambda t: t.lstrip(" ")[:1] not in [*"=+-@\t\r"]), min_size=1))
def test_text_comes_back_unless_a_spreadsheet_would_run_it(tmp_path_factory, cells):
    path = tmp_path_factory.getbasetemp() / "texts.csv"
    write_table(path, ["text", "x"], [cells, [0.5] * len(cells)])
    with open_blocks(path) as (file, _, names):
        assert [cell for block in file.blocks(names) for cell in block.cells(0)] == cells


pieces = st.sampled_from([*'xy1,,,\n\n"";\t\r \0é', "x,y\n", "1,2\n", "\ufeff", "nan", "1e999"])


@pytest.mark.slow
@given(st.one_of(st.binary(max_size=60), st.lists(pieces).map(lambda p: "".join(p).encode())))
def test_garbage_reads_or_is_refused_in_one_sentence(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "garbage.csv"
    path.write_bytes(content)
    try:
        table = read_table(path)
        said = column_notes(table, table.names)
    except DataFileError as error:
        said = (str(error),)
    assert all(sentence.isprintable() for sentence in said)


def written(names, columns):
    stream = io.StringIO()
    write_table(stream, names, columns)
    return stream.getvalue()


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", " =1"])
def test_text_that_a_spreadsheet_would_run_is_defused(text):
    assert written([text], [[text]]).count("'" + text) == 2


def test_text_with_separators_is_quoted():
    cells = ["\tx", "\rx", "a,b", 'say "x"', "", " a"]
    expected = ['"\'\tx"', '"\'\rx"', '"a,b"', '"say ""x"""', '""', '" a"']
    assert written(["t"], [cells]).split("\n")[1:-1] == expected


def test_numbers_are_written_as_numbers():
    columns = [[-1.5, 1e300], np.float32([0.1, -2]), [True, False], [-3, 2**60], ["-7", "+1e5"]]
    assert written([*"abcde"], columns) == (
        "a,b,c,d,e\n-1.5,0.1,1,-3,-7\n1e+300,-2.0,0,1152921504606846976,+1e5\n"
    )


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (["x"], [[np.nan]]),
        (["x"], [[1, "a"]]),
        (["x"], [[[1], [2]]]),
        (["x"], [[1j]]),
        (["x", "x"], [[1], [2]]),
        (["x"], [[1], [2]]),
        (["x", "y"], [[1], [2, 3]]),
        ([], []),
        ([""], [[1]]),
    ],
)
def test_what_is_no_table_is_not_written(names, columns):
    with pytest.raises(ArgumentError, match=r"write_table: .* must (be|have) .*, got"):
        written(names, columns)


def test_a_file_is_replaced_whole_and_keeps_its_permissions(tmp_path):
    path = saved(tmp_path, b"old")
    path.chmod(0o640)
    (tmp_path / "link.csv").symlink_to(path)
    write_table(tmp_path / "link.csv", ["x"], [[1.0]])
    assert path.read_bytes() == b"x\n1.0\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["link.csv", "scores.csv"]


@pytest.mark.parametrize("fault", ["os.fsync", "os.replace", "os.chmod"])
def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, fault):
    def fail(*_):
        raise OSError(28, "No space left on device")

    path = saved(tmp_path, b"old")
    monkeypatch.setattr(fault, fail)
    with pytest.raises(DataFileError, match=r"cannot be written.*No space left on device"):
        write_table(path, ["x"], [[1.0]])
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["scores.csv"]


@pytest.mark.parametrize("path", ["/dev/full", ".", "no/such/folder.csv"])
def test_only_a_regular_file_is_written(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataFileError, match=r"must be a regular file|cannot be written"):
        write_table(path, ["x"], [[1.0]])
    assert os.listdir(tmp_path) == []


# ---- in bulk and record by record


def contents(path):
    """All that is read from a file, or the sentence of its error."""
    try:
        table = read_table(path, text=["y"])
        found = [table.rows, table.first_line, table.labels.keys(), *column_notes(table, [])]
        for name in table.names:
            try:
                found.append(table.numbers(name).tobytes())
                found += column_notes(table, [name])
            except DataFileError as error:
                found.append(str(error))
        found += [(x.cells, x.lines, x.codes.tolist()) for x in table.labels.values()]
        with open_blocks(path) as (file, _, names):
            found += [row for block in file.blocks(names) for row in map(list, block.rows())]
        return found
    except DataFileError as error:
        return str(error)


cells = st.sampled_from(
    [
        *("1", "-2.5", "3e2", " 4", "5 ", "1e999", "", "é", "a b", "1-2", "9007199254740993"),
        *('"q"', '"a\nb"', '"1,5"', "x" * 40, "\t7", "１", "nan", "0x10", "+", ".5"),
    ]
)
line_ends = st.sampled_from(["\n", "\n", "\n", "\r\n", "\n\n", "\n  \n", "\r"])
rows = st.lists(st.tuples(st.lists(cells, min_size=2, max_size=2), line_ends), max_size=8)


@pytest.mark.slow
@given(rows, st.booleans(), st.integers(8, 40))
def test_bulk_reading_gives_what_the_csv_module_gives(tmp_path_factory, rows, ends, size):
    path = tmp_path_factory.getbasetemp() / "both.csv"
    text = "x,y\n" + "".join(",".join(row) + end for row, end in rows)
    path.write_bytes((text if ends else text[:-1]).encode())
    with pytest.MonkeyPatch.context() as patch:
        in_bulk = contents(path)
        patch.setattr("tinygrad_lr.support.csv_files.blocks.BLOCK_SIZE", size)
        in_small_blocks = contents(path)
        patch.setattr("tinygrad_lr.support.csv_files.blocks.Blocks._plain", lambda *_: None)
        one_by_one = contents(path)
    assert in_small_blocks[:2] == in_bulk[:2]
    assert in_small_blocks == one_by_one


ODD_CELLS = [
    *("", " ", "\t", "+", "-", ".", "e", "e5", "+.", "1e", "1e+", "--1", "+-1", "1-", "1+", "1-2"),
    *("1.5.2", "1e5.5", "1 2", "1\t", " 1", "1 ", "0x1", "1_0", "inf", "nan", "infinity", "-inf"),
    *("1e400", "-1e400", "1e-400", "0e999999999", "1e99999999999", "1e-99999999999", "1" * 400),
    *("1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "5e-324"),
    *("2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072011e-308", "-0"),
    *("9007199254740993", "9007199254740993.0000000000000000000000000000000000000001", "0" * 50),
    *("0.500000000000000166533453693773481063544750213623046875", "1e23", "8.5e22", "١", "\x0c1"),
]
digits = st.text("0123456789", max_size=45)
decimal_cells = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "-", "+", " ", "--"]),
    digits,
    st.sampled_from(["", ".", "..", "E"]),
    digits,
    st.sampled_from(["", "e0", "e-5", "E+05", "e300", "e-320", " ", "_1"]),
)


@st.composite
def halfway_cells(draw):
    """A number exactly between two floats, written out, or one digit beside it."""
    low = abs(draw(finite.filter(lambda x: abs(x) < 1e300)))
    middle = (Decimal(low) + Decimal(math.nextafter(low, math.inf))) / 2
    return format(middle, "f") + draw(
        st.sampled_from(["", "0" * 30 + "1"]) if low < 1 else st.just("")
    )


@needs_polars
@given(
    st.lists(
        st.one_of(st.sampled_from(ODD_CELLS), decimal_cells, halfway_cells(), finite.map(repr)),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(",\n"),
)
def test_polars_reads_what_numpy_reads(cells, separator):
    text = separator.join(cells).encode()
    expected, found = parse_numbers(text), bulk_parser(2**40)(text)
    assert (found is None) == (expected is None)
    if expected is not None:
        assert found.dtype == expected.dtype and found.tobytes() == expected.tobytes()


@needs_polars
@pytest.mark.parametrize("cell", ODD_CELLS)
def test_polars_and_numpy_agree_about_an_odd_cell(cell):
    for text in (cell, f"{cell},1", f"1,{cell}", f"1\n{cell}\n2"):
        expected, found = parse_numbers(text.encode()), bulk_parser(2**40)(text.encode())
        assert (found is None) == (expected is None), text
        assert found is None or found.tobytes() == expected.tobytes(), text


@needs_polars
def test_polars_reads_large_files_and_numpy_what_it_refuses(tmp_path, monkeypatch):
    import polars

    asked = []

    def refuse(*args, **options):
        asked.append(args)
        raise TypeError

    monkeypatch.setattr(cells_module, "MIN_POLARS_SIZE", 10)
    (tmp_path / "rows.csv").write_text("x,y\n1,2\n3,4\n")
    found = read_table(tmp_path / "rows.csv").matrix(("x", "y")).tolist()
    monkeypatch.setattr(polars, "read_csv", refuse)
    assert read_table(tmp_path / "rows.csv").matrix(("x", "y")).tolist() == found
    assert len(asked) == 1


def test_small_files_and_those_without_polars_are_read_by_numpy(monkeypatch):
    monkeypatch.setattr(cells_module, "MIN_POLARS_SIZE", 100)
    assert bulk_parser(99) is parse_numbers
    monkeypatch.setitem(sys.modules, "polars", None)
    assert bulk_parser(100) is parse_numbers


@given(st.text("+-.0123456789eE \t", max_size=8) | st.sampled_from(["1\n2", "1,2", "\n"]))
def test_a_cell_is_the_number_that_python_reads(text):
    values = parse_cells([text])
    try:
        expected = float(text)
    except ValueError:
        expected = math.nan
    assert is_number(text) == (values is not None) == math.isfinite(expected)
    if values is not None:
        assert values.tobytes() == np.float64([expected]).tobytes()


@given(st.lists(st.text("+-.0123456789eE \t,\n", max_size=5), min_size=1, max_size=4))
def test_cells_are_numbers_if_each_one_is(texts):
    values = parse_cells(texts)
    assert (values is not None) == all(map(is_number, texts))
    assert values is None or values.tolist() == [*map(float, texts)]


QUANTITIES = [
    *("10%", "$10", "10 kg", "−10", "1.0D+00", "(10)", "2024-05-01", "1/2/24", "May 5", "5 May"),
    *(
        "10,50 €",
        "１２",
        "1 234",
        "1,234.5",
        "1_000",
        "0x10",
        "1/2",
        "½",
        "12:30",
        "<5",
        "~3",
        "10k",
    ),
    *(
        "≥ 3",
        "3 ± 1",
        "10–20",
        "18-25",
        "<=50K",
        "1st",
        "3D",
        "USD 10",
        "R$ 10",
        "p = 3",
        "about 5",
    ),
    *("v1.2", "Q1 2020", "٣", "№ 1.5", "5", "-5", ".5", "1e999", "=1+1", "#5", "'10"),
]
NAMES = ["setosa", "A1", "grade 1", "k3", "R2D2", "type 2", "H2O", "m²", "Class_1", "III", "Ⅳ"]
NAMES += ["Group A", "n/a", "?", "", "三文鱼", "C++", "$", "über", "COVID-19", "a long name, 7"]


@pytest.mark.parametrize("text", QUANTITIES)
def test_text_that_could_be_a_quantity_is_not_taken_for_a_name(text):
    assert could_be_quantity(text) and could_be_quantity(f" {text} ")


@pytest.mark.parametrize("text", NAMES)
def test_text_that_is_plainly_a_name_is_taken_for_one(text):
    assert not could_be_quantity(text)


@given(finite, st.sampled_from(["{}", "{}%", "${}", "{} kg", "({})", "<{}", "~{}", "{}k", "€ {}"]))
def test_a_number_with_anything_around_it_could_be_a_quantity(number, form):
    text = form.format(number)
    assert could_be_quantity(text)
    assert could_be_quantity(text.replace("-", "\u2212").replace(".", ","))


@given(st.text(st.characters(exclude_categories=["N", "Cs"])))
def test_text_without_digits_is_a_name(text):
    assert could_be_quantity(text) == any(map(str.isdigit, unicodedata.normalize("NFKC", text)))
