"""Machine code needs llvmlite, and is kept where nobody else can write to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from programs import CACHE, assert_equal

import tinygrad_lr as tg
from tinygrad_lr.compiler.runtime import backends
from tinygrad_lr.errors import CompileWarning, MissingExtraError

X = np.linspace(-1.0, 1.0, 6)


def test_c9_without_llvmlite_numpy_computes_and_one_warning_says_so(monkeypatch):
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda name: None)
    backends.has_llvm.cache_clear()
    try:
        with pytest.warns(CompileWarning, match=r"pip install 'tinygrad_lr\[jit\]'") as told:
            first, second = (tg.compile(lambda x, by=by: x * by) for by in (2, 3))
        assert len(told) == 1 and first.backend == second.backend == "numpy"
        assert told[0].filename == __file__
        assert_equal([first(X), second(X)], [X * 2, X * 3], "numpy")
    finally:
        backends.has_llvm.cache_clear()


def test_llvm_asked_for_and_missing_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    with pytest.raises(MissingExtraError, match="llvmlite is not installed; run: pip install"):
        tg.compile(lambda x: x, backend="llvm")


SCRIPT = """
import numpy as np, tinygrad_lr as tg
f = tg.compile(lambda x: np.tanh(x) * 2.5 + x, backend="llvm")
print(repr(float(f(np.arange(8.0)).sum())))
"""


def run(cache, script=SCRIPT, **options):
    environment = {**os.environ, "TINYGRAD_LR_CACHE": str(cache)}
    root = str(Path(tg.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script],
        env=environment,
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def output(process):
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return out


def kept(cache):
    return sorted(x.name for x in Path(cache).iterdir()) if Path(cache).exists() else []


@pytest.fixture
def cache(tmp_path):
    pytest.importorskip("llvmlite")
    return tmp_path / "cache"


@pytest.mark.slow
def test_c11_two_processes_at_once_share_the_cache(cache):
    first, second = run(cache), run(cache)
    expected = np.tanh(np.arange(8.0)) * 2.5 + np.arange(8.0)
    assert float(output(first)) == pytest.approx(expected.sum()) and output(second)
    assert len(kept(cache)) == 1 and kept(cache)[0].endswith(".o")
    assert cache.stat().st_mode & 0o777 == 0o700
    assert (cache / kept(cache)[0]).stat().st_mode & 0o077 == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoiled", [b"", b"x" * 31, b"x" * 5000, None], ids=["empty", "short", "other", "flipped"]
)
def test_c11_a_spoiled_object_is_compiled_again(spoiled, cache):
    expected = output(run(cache))
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if spoiled is None else spoiled)
    assert output(run(cache)) == expected and file.read_bytes() == whole


@pytest.mark.slow
@pytest.mark.parametrize("mode", [0o777, 0o755, 0o750, 0o701], ids=oct)
def test_c11_a_directory_that_others_may_enter_is_not_used(mode, cache):
    cache.mkdir()
    cache.chmod(mode)
    assert output(run(cache)) and kept(cache) == []


@pytest.mark.slow
def test_c11_a_link_a_file_and_an_unwritable_place_are_not_used(cache, tmp_path):
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    cache.symlink_to(target)
    (tmp_path / "file").write_text("")
    for place in (cache, tmp_path / "file", Path("/proc/nowhere")):
        assert output(run(place))
    assert kept(target) == []


@pytest.mark.slow
def test_c11_an_object_that_others_may_write_is_not_run(cache):
    output(run(cache))
    (file,) = cache.iterdir()
    file.chmod(0o666)
    assert output(run(cache)) and file.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_two_objects_under_each_others_names_are_not_run(cache):
    other = SCRIPT.replace("* 2.5 + x", "* np.arange(24.0).reshape(3, 8)")
    scripts = SCRIPT, other
    expected = [output(run(cache, script)) for script in scripts]
    first, second = sorted(cache.iterdir())
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    assert [output(run(cache, script)) for script in scripts] == expected
    assert (first.read_bytes(), second.read_bytes()) == contents


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("kind", ["pipe", "link to an object", "link to a device", "folder"])
def test_what_is_no_file_is_not_opened_as_an_object(kind, cache, tmp_path):
    expected = output(run(cache))
    (file,) = cache.iterdir()
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    make = {
        "pipe": lambda: os.mkfifo(file, 0o600),
        "link to an object": lambda: file.symlink_to(elsewhere),
        "link to a device": lambda: file.symlink_to("/dev/zero"),
        "folder": lambda: file.mkdir(0o700),
    }
    make[kind]()
    assert output(run(cache)) == expected
    assert file.is_dir() if kind == "folder" else file.is_file() and not file.is_symlink()


def test_an_object_depends_on_every_source_that_shapes_code(tmp_path, monkeypatch):
    pytest.importorskip("llvmlite")
    from tinygrad_lr.compiler.llvm import object_cache as objects

    digest = objects.source_digest.__wrapped__
    for name in ("llvm/engine.py", "llvm/elementary/lanes.py", "ir/fusion.py", "ir/passes/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("x = 1")
        monkeypatch.setattr(objects, "__file__", str(tmp_path / "llvm" / "object_cache.py"))
        before = digest()
        (tmp_path / name).write_text("x = 2")
        assert digest() != before


def test_only_objects_are_deleted_from_a_full_cache(tmp_path, monkeypatch):
    pytest.importorskip("llvmlite")
    from tinygrad_lr.compiler.llvm import object_cache as objects

    monkeypatch.setattr(objects, "find_directory", lambda: tmp_path)
    monkeypatch.setattr(objects, "MAX_CACHE_BYTES", 100)
    monkeypatch.setattr(objects, "MAX_UNTRIMMED_BYTES", 0)
    names = ["1" * 64, "2" * 64]
    (tmp_path / "users.o").write_bytes(b"x" * 1000)
    (tmp_path / f"{names[0]}-abc_9").write_bytes(b"x" * 1000)  # of a process that was killed
    for name in names:
        objects.write(name, b"code" * 10)
    assert objects.read(names[0]) is None and objects.read(names[1]) == b"code" * 10
    assert kept(tmp_path) == [f"{names[1]}.o", "users.o"]


def test_a_process_trims_the_cache_at_first_and_after_each_64th_of_its_size(tmp_path, monkeypatch):
    pytest.importorskip("llvmlite")
    from tinygrad_lr.compiler.llvm import object_cache as objects

    trims = []
    monkeypatch.setattr(objects, "find_directory", lambda: tmp_path)
    monkeypatch.setattr(objects, "_trim", lambda path: trims.append(len(kept(path))))
    monkeypatch.setattr(objects, "UNTRIMMED", [1 << 20])
    for number in range(10):
        objects.write(f"{number:064x}", b"x" * (300 << 10))
    assert trims == [1, 5, 9]


def test_c11_with_an_empty_variable_nothing_is_kept(cache, tmp_path):
    script = f"import os; os.environ['HOME'] = {str(tmp_path)!r}\n" + SCRIPT
    assert output(run("", script)) and not cache.exists() and kept(tmp_path) == []


def test_these_tests_use_a_cache_of_their_own():
    pytest.importorskip("llvmlite")
    from tinygrad_lr.compiler.llvm import object_cache as objects

    assert os.environ["TINYGRAD_LR_CACHE"] == CACHE and str(objects.find_directory()) == CACHE


def test_t11_import_does_not_import_llvmlite():
    script = "import sys, tinygrad_lr as tg; tg.compile; print('llvmlite' in sys.modules)"
    assert output(run("", script)).strip() == "False"
