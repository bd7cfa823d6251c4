"""The wheel and the sdist: what they hold, and that they work outside the checkout."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import tinygrad_lr

ROOT = Path(__file__).parent.parent
REPOSITORY = "https://example.org/someone/tinygrad_lr"
SOURCES = [
    "LICENSE",
    "README.md",
    "hatch_build.py",
    "pyproject.toml",
    "tinygrad_lr/support/version.py",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return out


@pytest.mark.slow
def test_the_wheel_holds_the_data_and_its_provenance_and_no_tests(built):
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "tinygrad_lr/datasets/satgpa.csv" in names
    assert "tinygrad_lr/datasets/satgpa.md" in names
    assert "tinygrad_lr/report_page/browser/page.css" in names
    assert "tinygrad_lr/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "examples", "benchmarks"))]


@pytest.mark.slow
def test_the_sdist_holds_the_tests_the_examples_and_the_licence(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "tests/test_packaging.py", "examples/01_scalar.py"} <= names
    assert {"hatch_build.py", "CITATION.cff", "Makefile"} <= names
    assert not [name for name in names if name.startswith((".ci", ".github", ".pre-commit"))]


@pytest.mark.slow
def test_the_wheel_runs_the_lesson_outside_the_checkout(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import sys; sys.path.insert(0, 'site'); from tinygrad_lr.cli import main; main(['fit'])"
    command = [sys.executable, "-I", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "0.0238657" in run.stdout


def build_metadata(folder, repository):
    """Build a wheel of the project with this repository, from its sdist; return its metadata."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    for name in SOURCES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    project = (ROOT / "pyproject.toml").read_text()
    project, count = re.subn(
        r'^repository = ".*"$', f'repository = "{repository}"', project, flags=re.M
    )
    assert count == 1
    (folder / "pyproject.toml").write_text(project)
    command = [sys.executable, "-m", "build", "--no-isolation", str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (wheel,) = folder.glob("dist/*.whl")
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    return message_from_bytes(archive.read(name))


def links(metadata):
    """Every target of a link or a picture in the long description, outside code."""
    text = metadata.get_payload(decode=True).decode()
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(
        r"\]\(([^)]*)\)|(?:src|href)=\"([^\"]*)\"|^\[[^\]]+\]: *(\S+)", text, re.MULTILINE
    )
    return ["".join(groups) for groups in found]


def test_the_long_description_has_absolute_links_once_the_repository_is_known(tmp_path):
    metadata = build_metadata(tmp_path, REPOSITORY)
    version = tinygrad_lr.__version__
    targets = links(metadata)
    assert f"{REPOSITORY}/raw/v{version}/docs/descent.png" in targets
    assert f"{REPOSITORY}/blob/v{version}/CHANGELOG.md" in targets
    assert [target for target in targets if not target.startswith("https://")] == []
    assert f"Source, {REPOSITORY}" in metadata.get_all("Project-URL")
    assert metadata["Description-Content-Type"].startswith("text/markdown")


def test_the_long_description_has_no_relative_links_while_the_repository_is_unknown(tmp_path):
    metadata = build_metadata(tmp_path, "")
    assert [target for target in links(metadata) if not target.startswith("https://")] == []
    assert "![" not in metadata.get_payload()
    assert metadata.get_all("Project-URL") is None


def test_links_in_code_and_absolute_links_are_kept():
    pytest.importorskip("hatchling")
    names = {}
    exec((ROOT / "hatch_build.py").read_text(), names)
    text = "`[a](b)` [c](https://example.org)\n\n```\n[d](e)\n```\n"
    for repository in ["", REPOSITORY]:
        assert names["adapt_links"](text, repository, "1.0") == text
    fragment = names["adapt_links"]("[a](#b)", REPOSITORY, "1.0")
    assert fragment == f"[a]({REPOSITORY}/blob/v1.0/README.md#b)"


def test_the_citation_and_the_changelog_name_the_version():
    version = re.escape(tinygrad_lr.__version__)
    citation = (ROOT / "CITATION.cff").read_text()
    released = re.search(rf"^version: {version}$.*^date-released: (\S+)$", citation, re.M | re.S)
    changelog = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[(\d[^\]]*)\] - (\S+)$", changelog, re.M)
    assert newest.groups() == (tinygrad_lr.__version__, released[1])


def test_every_file_that_the_makefile_names_exists():
    named = re.findall(r"(?:tests|benchmarks)/\w+\.py", (ROOT / "Makefile").read_text())
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
