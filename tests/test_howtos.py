"""Each how-to is done in a copy of the project: what it adds is added, what it runs is run."""

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOWTOS = sorted((ROOT / "docs" / "howto").glob("[!R]*.md"))
BLOCK = re.compile(r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
each_page = pytest.mark.parametrize("page", HOWTOS, ids=lambda page: page.stem)


def blocks(page):
    """The code of a page in order: (language, file or "", text)."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def apply_change(text, change):
    """A file's text after a change, whose lines begin as those of a diff do: " ", "-" or "+"."""
    lines = change.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] != "+")
    after = "".join(line[1:] for line in lines if line[0] != "-")
    assert text.count(before) == 1, f"expected once in the file:\n{before}"
    return text.replace(before, after)


@pytest.fixture
def copy(tmp_path):
    """A scratch copy of the project, without its history."""
    left_out = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info")
    for name in ("tinygrad_lr", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=left_out)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def run_in(folder, *command):
    """Run Python in the copy, and return what it printed."""
    settings = {"PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8", "PYTHONWARNINGS": "error"}
    run = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        check=False,
        cwd=folder,
        encoding="utf-8",
        env={**os.environ, **settings},
        timeout=300,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return run.stdout


@pytest.mark.slow
@each_page
def test_a_how_to_works_as_it_is_written(page, copy):
    examples = []
    for language, title, text in blocks(page):
        if title:
            file = copy / title
            old = file.read_text(encoding="utf-8") if file.exists() else ""
            new = apply_change(old, text) if language == "diff" else f"{old.rstrip()}\n\n\n{text}"
            file.write_text(new.lstrip(), encoding="utf-8")
        elif language == "pycon":
            examples.append(text)
        elif language == "bash":
            for line in text.splitlines():
                program, *arguments = shlex.split(line)
                assert program == "python"
                run_in(copy, *arguments)
    script = copy / "page.txt"
    script.write_text("\n".join(["", *examples]), encoding="utf-8")
    checker = "import doctest, sys; sys.exit(doctest.testfile('page.txt', False).failed)"
    run_in(copy, "-c", checker)


@each_page
def test_a_how_to_touches_one_file_of_the_package(page):
    titles = {title for _, title, _ in blocks(page) if title.startswith("tinygrad_lr/")}
    lists = {title for language, title, _ in blocks(page) if language == "diff"}
    assert len(titles - lists) == 1


@each_page
def test_a_how_to_shows_its_result(page):
    text = "\n".join(text for language, _, text in blocks(page) if language == "pycon")
    assert doctest.DocTestParser().get_examples(text)
