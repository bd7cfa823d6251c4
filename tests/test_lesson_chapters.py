"""The chapters of docs/lesson run from the top, show their figures and prove what they claim."""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import json
import linecache
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "lesson"
CHAPTERS = sorted(FOLDER.glob("[0-9]*.md"))
CELL = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"(?<![\w.])[-−]?\d+(?:\.\d+)?(?: ?%)?(?![\d.]*\w)")
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,_]*(?:\.\d*)?(?:e[-+]?\d+)?")

every_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


def cells(chapter):
    return CELL.findall(chapter.read_text(encoding="utf-8"))


def prose(chapter):
    """Return the text that is read: no cells, no metadata."""
    text = FENCED.sub("", chapter.read_text(encoding="utf-8"))
    return re.sub(r"<!--.*?-->", "", text, count=1, flags=re.DOTALL)


def section(chapter, title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", prose(chapter), re.M | re.S)[1]


def show(value):
    """Return what a notebook shows of a cell's last expression: a picture or its text."""
    if hasattr(value, "savefig"):
        assert value._repr_png_().startswith(b"\x89PNG")
    elif value is not None:
        print(repr(value))


def run(cell, name, names):
    linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
    tree, last = ast.parse(cell), None
    if isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, name, "exec"), names)
    if last is not None:
        show(eval(compile(last, name, "eval"), names))


@functools.cache
def executed(chapter):
    """Run the cells in an empty notebook; return what they print and show, and the files left."""
    plt = pytest.importorskip("matplotlib.pyplot")
    pytest.importorskip("llvmlite")  # without it, compiling warns
    plt.switch_backend("agg")
    names, output = {"__name__": "__main__"}, io.StringIO()
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(output),
        warnings.catch_warnings(),
    ):
        for number, cell in enumerate(cells(chapter), start=1):
            run(cell, f"<{chapter.name}, cell {number}>", names)
            for figure in map(plt.figure, plt.get_fignums()):
                figure.savefig(io.BytesIO())
            plt.close("all")
        left = list(Path(folder).iterdir())
    return output.getvalue(), left


def test_there_are_seventeen_chapters_and_the_index_lists_them_with_their_questions():
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert len(CHAPTERS) == 17
    for number, chapter in enumerate(CHAPTERS, start=1):
        title, question = re.findall(r"^# (.*)|^\*\*Question: (.*)\*\*", prose(chapter), re.M)
        asked = question[1].replace("$", "")
        row = (
            f"| [{title[0].replace('.', '', 1)}]({chapter.name}) | {asked[0].upper()}{asked[1:]} |"
        )
        assert title[0].startswith(f"{number}. ") and row in index


def test_each_chapter_leads_to_the_next():
    for chapter, following in zip(CHAPTERS, [*CHAPTERS[1:], FOLDER / "README.md"], strict=True):
        assert prose(chapter).rstrip().endswith(f"]({following.name})")


@pytest.mark.slow
@every_chapter
def test_a_chapter_runs_from_the_top_and_leaves_no_file(chapter):
    assert executed(chapter)[1] == []


@pytest.mark.slow
@every_chapter
def test_every_figure_of_the_text_is_one_that_a_cell_shows_or_proves(chapter):
    evidence = executed(chapter)[0] + "\n".join(cells(chapter))
    known = [abs(float(re.sub("[,_]", "", number))) for number in NUMBER.findall(evidence)]
    for figure in FIGURE.findall(prose(chapter)):
        number = figure.strip("-− %")
        if "." not in number and "%" not in figure and len(number) < 3:
            continue  # a count, told in passing
        percent = 100 if "%" in figure else 1
        digits = len(number.partition(".")[2])
        half = 0.5000001 * 10**-digits
        assert any(abs(percent * x - float(number)) <= half for x in known), figure


@pytest.mark.slow
@every_chapter
def test_output_that_the_text_quotes_is_what_a_cell_prints(chapter):
    printed = [line.strip() for line in executed(chapter)[0].splitlines()]
    for quoted in QUOTED.findall(chapter.read_text(encoding="utf-8")):
        if re.search(r"\d\.\d", quoted):  # the others are drawings and code
            assert [x for x in map(str.strip, quoted.splitlines()) if x not in printed] == []


@every_chapter
def test_a_chapter_asks_first_and_ends_with_exercises_answers_and_a_proof(chapter):
    text = prose(chapter)
    assert re.match(r"\s*# \d+\. .+\n\n\*\*Question: .*\?\*\*\n", text)
    assert re.findall(r"^## (.*)", text, re.M)[-2:] == ["Exercises", "What we claimed"]
    asked, answers = section(chapter, "Exercises").split("<details>\n<summary>Answers</summary>\n")
    assert 2 <= len(re.findall(r"^\d\. ", asked, re.M)) == len(re.findall(r"^\d\. ", answers, re.M))
    assert answers.rstrip().endswith("</details>")
    assert all(f"**{kind}" in asked for kind in ("Derive.", "Predict", "Find the mistake."))
    assert cells(chapter)[-1].count("assert ") >= 3


@every_chapter
def test_cells_are_small_and_hold_one_idea(chapter):
    *taught, proof = cells(chapter)
    assert max(len(cell.splitlines()) for cell in taught) <= 15
    assert len(proof.splitlines()) <= 35
    assert max(len(line) for cell in cells(chapter) for line in cell.splitlines()) <= 100


@every_chapter
def test_a_chapter_opens_as_a_notebook_and_comes_back_the_same(chapter):
    jupytext = pytest.importorskip("jupytext")
    notebook = jupytext.read(chapter)
    found = [cell.source + "\n" for cell in notebook.cells if cell.cell_type == "code"]
    assert found == cells(chapter)
    assert notebook.metadata.kernelspec.name == "python3"
    written = jupytext.reads(jupytext.writes(notebook, "ipynb"), "ipynb")
    back = re.sub(r"\n *jupytext_version: .*", "", jupytext.writes(written, "md"))
    assert back == chapter.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_command_for_notebooks_runs_a_chapter_and_keeps_every_cell(tmp_path):
    for needed in ("jupytext", "nbconvert", "ipykernel"):
        pytest.importorskip(needed)
    makefile = (FOLDER.parent.parent / "Makefile").read_text(encoding="utf-8")
    options = re.search(r"^\t\$\(PYTHON\) (-m jupytext .*) docs/lesson/", makefile, re.M)[1].split()
    chapter = shutil.copy(CHAPTERS[1], tmp_path)
    subprocess.run([sys.executable, *options, chapter], check=True, capture_output=True)
    notebook = json.loads((tmp_path / f"{CHAPTERS[1].stem}.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert ["".join(cell["source"]) + "\n" for cell in code] == cells(CHAPTERS[1])
    printed = [o["text"] for cell in code for o in cell["outputs"] if o["output_type"] == "stream"]
    assert "w = 0.0239   L = 0.4321\n" in "".join(map("".join, printed))
    assert any("image/png" in o.get("data", ()) for cell in code for o in cell["outputs"])
