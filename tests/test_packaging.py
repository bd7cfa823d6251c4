"""The wheel and the sdist: what they hold, and that they work outside the checkout."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return out


def test_the_wheel_holds_the_data_and_its_provenance_and_no_tests(built):
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "tinygrad_lr/datasets/satgpa.csv" in names
    assert "tinygrad_lr/datasets/satgpa.md" in names
    assert "tinygrad_lr/report_page/browser/page.css" in names
    assert "tinygrad_lr/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "examples", "benchmarks"))]


def test_the_sdist_holds_the_tests_the_examples_and_the_licence(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "tests/test_packaging.py", "examples/01_scalar.py"} <= names


def test_the_wheel_runs_the_lesson_outside_the_checkout(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import sys; sys.path.insert(0, 'site'); from tinygrad_lr.cli import main; main(['fit'])"
    command = [sys.executable, "-I", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "0.0238657" in run.stdout
