"""The code in the README and in docs/ runs and prints what it says."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lr as tg

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


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


def test_the_readme_is_what_the_house_asks_for():
    text = (ROOT / "README.md").read_text()
    assert (
        text.index("```python")
        < text.index("bin/tinygrad-lr fit")
        < text.index("bin/python -m pytest")
    )
