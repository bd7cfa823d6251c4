"""The page's JavaScript: modules that fit together, and what a type checker and a linter say."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import tinygrad_lr
from tinygrad_lr.report_page import document

ROOT = Path(__file__).parents[2]
BROWSER = Path(tinygrad_lr.__file__).parent / "report_page" / "browser"
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in BROWSER.glob("*.js")}
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";$', re.MULTILINE)
DECLARATION = re.compile(r"^(export )?(?:function|const|let|class) (\w+)", re.MULTILINE)


def exports(name):
    return {found[2] for found in DECLARATION.finditer(SOURCES[name]) if found[1]}


def imports(name):
    """The names that a module imports, by the module that they come from."""
    return {
        module: {entry.strip() for entry in names.split(",") if entry.strip()}
        for names, module in IMPORT.findall(SOURCES[name])
    }


@pytest.mark.parametrize("name", SOURCES)
def test_every_import_names_an_export_of_an_earlier_module(name):
    order = document.module_order(document.ENTRY)
    for module, names in imports(name).items():
        assert names <= exports(module)
        assert order.index(module) < order.index(name)


def test_every_module_is_on_the_page_and_no_export_is_unused():
    assert sorted(document.module_order(document.ENTRY)) == sorted(SOURCES)
    used = {
        (module, entry) for name in SOURCES for module, e in imports(name).items() for entry in e
    }
    assert {(name, entry) for name in SOURCES for entry in exports(name)} == used


def test_the_joined_script_declares_each_name_once_and_is_no_module():
    script = document._script()
    names = [found[2] for found in DECLARATION.finditer(script)]
    assert sorted(names) == sorted(set(names))
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


@pytest.mark.parametrize("name", SOURCES)
def test_every_module_is_type_checked(name):
    assert SOURCES[name].startswith("// @ts-check\n// ")


def tool(name):
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def output(*command):
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


def test_node_reads_the_joined_script(tmp_path):
    file = tmp_path / "page.js"
    file.write_text(document._script(), encoding="utf-8")
    assert output(tool("node"), "--check", str(file)) == ""


def test_the_type_checker_finds_nothing():
    assert output(tool("tsc"), "--project", "jsconfig.json", "--pretty", "false") == ""


def test_the_linter_finds_nothing():
    assert output(tool("eslint"), "--no-color", str(BROWSER)) == ""
