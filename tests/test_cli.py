"""The command line: what it prints, what it writes, and one line for whatever goes wrong."""

import json
import os
import signal
import subprocess
import sys
import tracemalloc
from contextlib import nullcontext
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import tinygrad_lr
from tinygrad_lr import lesson
from tinygrad_lr.cli import main
from tinygrad_lr.errors import DataFileError

ROWS = "a,b,y\n" + "".join(f"{i},{i % 3},{2 * i + 1}\n" for i in range(1, 9))
STUDENTS = str(tinygrad_lr.datasets.sat_gpa_path())
FIT = ["--x", "a", "--y", "y"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path


def said(capsys, *arguments):
    """The exit status, what was printed, and the line of the error."""
    status = main(list(arguments))
    streams = capsys.readouterr()
    return status, streams.out, streams.err


def process(*arguments, **options):
    command = [sys.executable, "-m", "tinygrad_lr", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8", **options)


# ---- what goes well


def test_fit_without_a_file_runs_the_lesson(capsys):
    status, out, err = said(capsys, "fit")
    assert (status, err) == (0, "")
    for words in ["closed form", "0.0238657", "9.1897e-05", "dL/dw = Σ dL/dŷ · z", "diverged"]:
        assert words in out


def test_output_is_plain_where_nobody_watches_and_fits_eighty_columns(capsys):
    _, out, _ = said(capsys, "fit")
    assert "\x1b" not in out and max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
    ids=str,
)
def test_a_terminal_that_wants_it_gets_colour(capsys, monkeypatch, environment, colored):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert ("\x1b[1m" in said(capsys, "fit")[1]) == colored


def test_json_is_one_object_with_every_part(capsys):
    status, out, _ = said(capsys, "fit", "--json")
    told = json.loads(out)
    assert status == 0
    assert told["closed_form"]["slopes"] == pytest.approx([0.02386573594038181504], rel=1e-12)
    assert {"data", "descent", "learning_rates", "derivation", "prediction"} <= set(told)


def test_a_persons_own_file_is_fitted_as_the_students_are(capsys, folder):
    arguments = ["fit", STUDENTS, "--x", "sat_v,sat_m", "--x", "hs_gpa", "--y", "fy_gpa", "--json"]
    status, out, _ = said(capsys, *arguments)
    found = json.loads(out)["closed_form"]
    assert status == 0
    np.testing.assert_allclose(found["slopes"], [0.01645881, 0.01239756, 0.58006828], rtol=1e-6)
    assert found["intercept"] == pytest.approx(-0.86692662, rel=1e-8)


@pytest.mark.parametrize("hidden", [[], ["--hidden", "4,4", "--steps", "50"]])
def test_what_was_saved_predicts_what_was_learnt(capsys, folder, hidden):
    assert said(capsys, "fit", "rows.csv", *FIT, *hidden, "--save", "m.safetensors")[0] == 0
    assert said(capsys, "predict", "m.safetensors", "rows.csv", "--out", "out.csv")[0] == 0
    lines = Path("out.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "a,b,y,predicted_y" and len(lines) == 9
    if not hidden:
        found = [float(line.split(",")[-1]) for line in lines[1:]]
        np.testing.assert_allclose(found, [2 * i + 1 for i in range(1, 9)], rtol=1e-9)


def test_predictions_go_to_standard_output_where_no_file_is_named(capsys, folder):
    said(capsys, "fit", "rows.csv", *FIT, "--save", "m.safetensors")
    status, out, err = said(capsys, "predict", "m.safetensors", "rows.csv")
    assert (status, err) == (0, "") and out.startswith("a,b,y,predicted_y\n1,1,3,")


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_picture_is_drawn(capsys, folder, ending):
    status, out, _ = said(capsys, "fit", "rows.csv", *FIT, "--plot", f"out.{ending}")
    assert status == 0 and f"out.{ending}" in out
    assert Path(f"out.{ending}").stat().st_size > 5000


def test_a_network_is_set_beside_the_line(capsys, folder):
    arguments = ["fit", STUDENTS, "--x", "sat_sum", "--y", "fy_gpa", "--hidden", "8", "--json"]
    told = json.loads(said(capsys, *arguments, "--steps", "200")[1])
    assert "closed_form" not in told
    assert told["network"]["mse"] < 0.44


def test_one_seed_gives_the_same_output(capsys, folder):
    arguments = ["fit", "rows.csv", *FIT, "--hidden", "4", "--batch-size", "3", "--steps", "40"]
    first, again = (said(capsys, *arguments, "--seed", "7")[1] for _ in range(2))
    assert first == again != said(capsys, *arguments, "--seed", "8")[1]


@pytest.mark.parametrize("content", ["\ufeff" + ROWS, ROWS.replace("\n", "\r\n"), ROWS[:-1]])
def test_a_bom_and_other_line_ends_are_simply_read(capsys, folder, content):
    Path("rows.csv").write_bytes(content.encode())
    assert said(capsys, "fit", "rows.csv", *FIT)[0] == 0


class Bar:
    """A bar of tqdm that writes down what it is told."""

    bars: ClassVar[list["Bar"]] = []

    def __init__(self, **options):
        self.options, self.read = options, 0
        self.bars.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self, size):
        self.read += size


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_sees_how_much_of_a_file_has_been_read(capsys, folder, monkeypatch, terminal):
    monkeypatch.setattr("tqdm.tqdm", Bar)
    monkeypatch.setattr(Bar, "bars", [])
    monkeypatch.setattr("tinygrad_lr.train.loop.progress_bar", lambda *_: nullcontext(print))
    said(capsys, "fit", "rows.csv", *FIT, "--steps", "0", "--save", "m.safetensors")
    assert Bar.bars == []
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    said(capsys, "fit", "rows.csv", *FIT, "--steps", "0")
    said(capsys, "predict", "m.safetensors", "rows.csv")
    assert [bar.read for bar in Bar.bars] == [len(ROWS)] * 2 * terminal
    for bar in Bar.bars:
        assert bar.options["total"] == len(ROWS) and bar.options["desc"] == "reading rows.csv"


def test_a_bad_row_is_refused_before_a_prediction_is_printed(capsys, folder):
    said(capsys, "fit", "rows.csv", *FIT, "--save", "m.safetensors")
    Path("long.csv").write_text("a\n" + "1\n" * 300_000 + "one\n", encoding="utf-8")
    status, out, err = said(capsys, "predict", "m.safetensors", "long.csv")
    assert (status, out) == (1, "") and "line 300002, column 'a'" in err
    Path("out.csv").write_text("as before", encoding="utf-8")
    assert said(capsys, "predict", "m.safetensors", "long.csv", "--out", "out.csv")[0] == 1
    assert Path("out.csv").read_text(encoding="utf-8") == "as before"


PREDICTED = {  # rows of a file -> the same with a prediction 2a + 1
    "1,x\n": "1,x,3.0\n",
    " 1 , x y \n": '"1 ",x y ,3.0\n'.replace("x y ", '"x y "'),
    '"1","a,b"\n': '1,"a,b",3.0\n',
    "1,=A1\n": "1,'=A1,3.0\n",
    "1,-\n": "1,'-,3.0\n",
    "+1,-2e3\r\n\n2,.5\n": "+1,-2e3,3.0\n2,.5,5.0\n",
    "1,\n": '1,"",3.0\n',
}


@pytest.mark.parametrize("rows", PREDICTED)
def test_the_cells_of_a_file_are_kept_beside_its_predictions(capsys, folder, rows):
    description = lesson.predictor.Description(("a",), "y", (), "tanh", (0.0,), (1.0,))
    predictor = lesson.Predictor(description, description.build_model())
    predictor.model.load_state_dict({"weight": np.array([[2.0]]), "bias": np.ones(1)})
    Path("new.csv").write_bytes(b"a,b\n" + rows.encode())
    assert (
        "".join(lesson.predict_file(predictor, "new.csv")) == "a,b,predicted_y\n" + PREDICTED[rows]
    )


@pytest.mark.slow
def test_memory_is_the_numbers_once_and_a_block(folder):
    rows = 300_000
    line = "0.123456789012345678,-1.25,3\n"
    Path("large.csv").write_text("a,b,y\n" + line * rows, encoding="utf-8")
    description = lesson.predictor.Description(("a",), "y", (), "tanh", (0.0,), (1.0,))
    predictor = lesson.Predictor(description, description.build_model())
    limit = {lesson.read_problem: 3 * 8 * rows * 1.1, lesson.predict_file: 0}
    block = 40 * 2**20
    for function, numbers in limit.items():
        tracemalloc.start()
        try:
            if function is lesson.predict_file:
                assert (
                    sum(text.count("\n") for text in function(predictor, "large.csv")) == rows + 1
                )
            else:
                with pytest.raises(DataFileError, match="the target must vary"):
                    function("large.csv", ["a", "b"], "y")
            assert tracemalloc.get_traced_memory()[1] < numbers + block
        finally:
            tracemalloc.stop()


# ---- files that cannot be read

BAD = {
    "empty": ("", ["empty", "line 1"]),
    "header only": ("a,b,y\n", ["rows"]),
    "an unknown column": (ROWS.replace("a,b", "aa,b"), ["'a'", "'aa'"]),
    "text in a number's place": (ROWS.replace("4,1,9", "four,1,9"), ["line 5", "'a'", "'four'"]),
    "an empty cell": (ROWS.replace("4,1,9", ",1,9"), ["line 5", "'a'", "empty"]),
    "a constant column": ("a,y\n" + "3,1\n3,2\n3,4\n", ["'a'", "3.0"]),
    "a constant target": ("a,y\n" + "1,3\n2,3\n3,3\n", ["'y'", "3.0"]),
    "nan": (ROWS.replace("4,1,9", "nan,1,9"), ["line 5", "'a'", "nan"]),
    "an infinite value": (ROWS.replace("4,1,9", "inf,1,9"), ["line 5", "'a'", "inf"]),
    "beyond every float": (ROWS.replace("4,1,9", "1e400,1,9"), ["line 5", "'a'", "1e400"]),
    "one row": ("a,y\n1,2\n", ["rows", "line 2"]),
    "two columns with one name": (ROWS.replace("a,b", "a,a"), ["'a'", "line 1"]),
    "a semicolon": (ROWS.replace(",", ";"), ["';'"]),
    "a short row": (ROWS.replace("4,1,9", "4,1"), ["line 5"]),
    "a long row": (ROWS.replace("4,1,9", "4,1,9,9"), ["line 5"]),
    "an unclosed quote": (ROWS + '"9,1,2\n', ["line 10", "quotation mark"]),
}


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_sentence_with_file_line_and_column(capsys, folder, content, words):
    Path("rows.csv").write_text(content, encoding="utf-8")
    status, out, err = said(capsys, "fit", "rows.csv", *FIT)
    assert (status, out) == (1, "")
    assert err.startswith("tinygrad-lr: rows.csv") and err.count("\n") == 1
    assert [word for word in words if word not in err] == []


def test_a_missing_file_and_a_folder_are_one_sentence(capsys, folder):
    for name in ["none.csv", "."]:
        status, _, err = said(capsys, "fit", name, *FIT)
        assert (status, err.count("\n")) == (1, 1) and name in err


def test_a_nearly_known_column_is_named(capsys):
    _, _, err = said(capsys, "fit", STUDENTS, "--x", "sat_sun", "--y", "fy_gpa")
    assert "'sat_sum'" in err


def test_names_that_move_the_cursor_are_escaped(capsys, folder):
    Path("rows.csv").write_text("a\x1b[2J,y\n1,2\n", encoding="utf-8")
    _, _, err = said(capsys, "fit", "rows.csv", "--x", "b", "--y", "y")
    assert "\x1b" not in err and "\\x1b[2J" in err


# ---- what else goes wrong


def test_a_learning_rate_that_is_too_large_fails_and_saves_nothing(capsys, folder):
    arguments = ["--learning-rate", "0.001", "--no-standardize", "--save", "m.safetensors"]
    status, _, err = said(capsys, "fit", STUDENTS, "--x", "sat_sum", "--y", "fy_gpa", *arguments)
    assert status == 1 and "9.1896e-05, the largest stable rate" in err
    assert not Path("m.safetensors").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--learning-rate", "nan"],
        ["--learning-rate", "1e999"],
        ["--learning-rate", "0"],
        ["--steps", "1e3"],
        ["--seed", "-1"],
        ["--hidden", "4,0"],
        ["--batch-size", "0"],
        ["--tolerance", "-1"],
        ["--unknown"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_status_two(capsys, arguments):
    status, out, err = said(capsys, "fit", *arguments)
    assert (status, out) == (2, "") and "error:" in err


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"], ["--version"]], ids=" ".join)
def test_help_and_version_are_no_failure(capsys, arguments):
    status, out, _ = said(capsys, *arguments)
    assert status == 0 and ("usage:" in out or tinygrad_lr.__version__ in out)


def test_an_output_that_is_an_input_is_refused(capsys, folder):
    said(capsys, "fit", "rows.csv", *FIT, "--save", "m.safetensors")
    status, _, err = said(capsys, "predict", "m.safetensors", "rows.csv", "--out", "rows.csv")
    assert (status, err.count("\n")) == (1, 1)
    assert Path("rows.csv").read_text(encoding="utf-8") == ROWS


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (["--hidden", "1048576,1048576"], "choose fewer or narrower --hidden layers"),
        (["--hidden", "1048576"], "pass a smaller --batch-size"),
        (["--hidden", "1048576", "--classes"], "pass a smaller --batch-size"),
    ],
)
def test_what_does_not_fit_into_memory_is_refused_before_it_is_allocated(
    capsys, folder, monkeypatch, arguments, cure
):
    monkeypatch.setattr("tinygrad_lr.lesson.training.memory_size", lambda: 1e8)
    rows = "a,b\n" + "".join(f"{i},{i % 3}\n" for i in range(40))
    Path("rows.csv").write_text(rows, encoding="utf-8")
    status, _, err = said(capsys, "fit", "rows.csv", "--x", "a", "--y", "b", *arguments)
    assert status == 1 and err.count("\n") == 1
    assert "rows.csv: a step must fit into memory, 0.1 GB, but" in err and cure in err


def test_a_batch_larger_than_the_data_is_refused(capsys, folder):
    status, _, err = said(capsys, "fit", "rows.csv", *FIT, "--batch-size", "9")
    assert status == 1 and "--batch-size must be at most 8" in err


def test_predicting_without_a_feature_names_it(capsys, folder):
    said(capsys, "fit", "rows.csv", *FIT, "--save", "m.safetensors")
    Path("new.csv").write_text("b\n1\n", encoding="utf-8")
    status, _, err = said(capsys, "predict", "m.safetensors", "new.csv")
    assert status == 1 and "new.csv" in err and "'a'" in err


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\xff" * 100, b"\x80\x04pickle."])
def test_a_model_file_of_another_kind_is_one_sentence(capsys, folder, content):
    Path("m.safetensors").write_bytes(content)
    status, out, err = said(capsys, "predict", "m.safetensors", "rows.csv")
    assert (status, out, err.count("\n")) == (1, "", 1) and "m.safetensors" in err


@pytest.mark.parametrize(
    ("module", "option"), [("matplotlib", "--plot"), ("safetensors", "--save")]
)
def test_a_missing_extra_gives_the_pip_line(capsys, folder, monkeypatch, module, option):
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    file = "out.png" if option == "--plot" else "out.safetensors"
    status, _, err = said(capsys, "fit", "rows.csv", *FIT, option, file)
    assert status == 1 and "pip install 'tinygrad_lr[" in err


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_an_internal_error_is_one_line_that_mentions_debug(capsys, monkeypatch, debug):
    monkeypatch.setattr("tinygrad_lr.lesson.read_data", lambda *_, **__: 1 / 0)
    status, out, err = said(capsys, "fit", *debug)
    assert (status, out, "Traceback" in err) == (1, "", bool(debug))
    line = "tinygrad-lr: internal error: ZeroDivisionError: division by zero"
    cure = "" if debug else " (rerun with --debug for the traceback)"
    assert err.endswith(f"{line}{cure}\n")


def test_debug_adds_the_traceback(capsys, folder):
    _, _, err = said(capsys, "fit", "none.csv", *FIT, "--debug")
    assert err.startswith("Traceback") and err.splitlines()[-1].startswith("tinygrad-lr: none.csv")


# ---- as a process


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_one_line(folder, number, status):
    arguments = ["fit", "rows.csv", *FIT, "--hidden", "4", "--steps", "100000000"]
    with process(*arguments, stdout=subprocess.PIPE) as running:
        running.stdout.readline()  # the first part is printed before the descent begins
        running.send_signal(number)
        err = running.communicate(timeout=60)[1]
    assert (running.returncode, err.count("\n")) == (status, 1)


def test_ctrl_c_during_the_descent_saves_what_was_learnt(capsys, folder, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygrad_lr.train.state.is_unchanged", interrupt)
    status, _, err = said(capsys, "fit", "rows.csv", *FIT, "--save", "m.safetensors")
    assert status == 130 and "interrupted after 1 step; the model was saved to m.safetensors" in err
    monkeypatch.undo()
    assert said(capsys, "predict", str(folder / "m.safetensors"), str(folder / "rows.csv"))[0] == 0


def test_a_reader_that_leaves_is_no_traceback():
    with process("fit", stdout=subprocess.PIPE) as running:
        running.stdout.readline()
        running.stdout.close()
        err = running.stderr.read()
    assert "Traceback" not in err and running.returncode in {0, 141}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["fit"], ["--help"], ["fit", "--json"]], ids=" ".join)
def test_a_full_disk_is_a_message_and_a_failure(arguments):
    with open("/dev/full", "w", encoding="utf-8") as full, process(*arguments, stdout=full) as run:
        err = run.communicate(timeout=60)[1]
    assert run.returncode == 1 and "cannot write the output" in err


def test_it_runs_without_home_terminal_or_locale(folder):
    bare = {"LANG": "C", "PATH": os.environ["PATH"], "OPENBLAS_NUM_THREADS": "1"}
    bare["PYTHONPATH"] = str(Path(tinygrad_lr.__file__).parent.parent)
    with process("fit", "rows.csv", *FIT, stdout=subprocess.PIPE, env=bare) as running:
        out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, "") and "y" in out
