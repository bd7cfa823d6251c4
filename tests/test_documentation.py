"""The code in the README and in docs/ runs and prints what it says."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lr as tg

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRAPPED = [*PAGES, *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"))]
WRAPPED += sorted((ROOT / "tinygrad_lr").rglob("*.md"))
BLOCKS = re.compile(r"^```.*?^```$|^\$\$.*?\$\$$", re.DOTALL | re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_the_examples_of_a_page_print_what_it_says(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    text = "\n".join(block for block in blocks if ">>>" in block)
    names = {"np": np, "tg": tg, "Value": tg.Value}
    test = doctest.DocTestParser().get_doctest(text, names, page.name, str(page), 0)
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)", page.read_text())
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", WRAPPED, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_prose_is_wrapped_at_100_columns(page):
    lines = BLOCKS.sub("", page.read_text()).splitlines()
    can_wrap = [line for line in lines if not line.startswith(("|", "!["))]  # tables and pictures
    assert [line for line in can_wrap if len(line) > 100] == []


def test_the_readme_is_what_the_house_asks_for():
    text = (ROOT / "README.md").read_text()
    assert (
        text.index("```python")
        < text.index("bin/tinygrad-lr fit")
        < text.index("bin/python -m pytest")
    )


MENTIONED = re.compile(r"`(\w+)`s?\s*\(([\w/.\\]+\.py)[^)]*\)|`(\w+)`,\s*([\w/]+\.py)")


def test_the_functions_that_the_architecture_names_are_in_the_files_it_names():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    found = [(a or c, (b or d).replace("\\", "")) for a, b, c, d in MENTIONED.findall(text)]
    missing = [
        (name, file)
        for name, file in found
        if not re.search(
            rf"^ *(def|class) {name}\b|^{name}\b.*=",
            (ROOT / "tinygrad_lr" / file).read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    ]
    assert len(found) > 25 and missing == []


def test_the_paths_that_the_architecture_names_exist():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").replace("\\", "")
    paths = set(re.findall(r"\b(?:\w+/)+\w+\.(?:py|js|md)", text))
    bases = (ROOT, ROOT / "tinygrad_lr", ROOT / "docs")
    assert [p for p in sorted(paths) if not any((base / p).exists() for base in bases)] == []
