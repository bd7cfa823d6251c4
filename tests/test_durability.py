"""A file of weights under kills, full disks and other writers: the old one or the new, whole."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tinygrad_lr.checkpoint import load_file, save_file
from tinygrad_lr.errors import DataFileError

pytest.importorskip("safetensors")

WRITING = """
    import os, random, signal, sys, time
    import numpy as np
    from tinygrad_lr.checkpoint import load_all, save_file

    def write_forever(number):
        while True:
            save_file({"w": np.full(5_000 + number, number)}, path, {"number": str(number)})
            number += 2

    def start(number):
        child = os.fork()
        if not child:
            write_forever(number)
        return child

    def found():
        arrays, texts = load_all(path)
        number = int(texts["number"])
        assert len(arrays["w"]) == 5_000 + number and (arrays["w"] == number).all()
        return number

    def kill(child):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    path = sys.argv[1]
    save_file({"w": np.zeros(5_000)}, path, {"number": "0"})
"""


def written(code, path):
    """Return the output of a program that has WRITING before it."""
    program = textwrap.dedent(WRITING) + textwrap.dedent(code)
    command = [sys.executable, "-c", program, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_file_whole(tmp_path):
    kills = """
        trial = 0
        while trial < 60 or found() == 0 and trial < 200:  # a busy machine starts slowly
            child = start(found())
            time.sleep(random.Random(trial).uniform(0, 0.02 if trial < 60 else 0.2))
            kill(child)
            found()
            trial += 1
        written = found()
        save_file({"w": np.zeros(5_000)}, path, {"number": "0"})
        print(written > 0 and found() == 0)
    """
    assert written(kills, tmp_path / "m.safetensors") == "True\n"
    assert os.listdir(tmp_path) == ["m.safetensors"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_reader_sees_whole_files_while_two_processes_write(tmp_path):
    both = """
        children = [start(0), start(1)]
        end = time.monotonic() + 0.7
        seen = set()
        while time.monotonic() < end or len(seen) < 2 and time.monotonic() < end + 20:
            seen.add(found() % 2)
        for child in children:
            kill(child)
        print(seen)
    """
    assert written(both, tmp_path / "m.safetensors") == "{0, 1}\n"


def test_a_full_disk_is_an_error_and_the_old_file_stands_alone(tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = tmp_path / "m.safetensors"
    save_file({"w": np.ones(2)}, file)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(DataFileError, match=r"m\.safetensors: cannot be written"):
            save_file({"w": np.zeros(100_000)}, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert load_file(file)["w"].tolist() == [1.0, 1.0] and os.listdir(tmp_path) == ["m.safetensors"]


@pytest.mark.parametrize(
    "path", ["/dev/full", "/proc/m.safetensors", f"{__file__}/m.safetensors", "\0", "."]
)
def test_where_nothing_can_be_written_is_one_sentence(path):
    with pytest.raises(DataFileError, match=r"must be a regular file|cannot be") as caught:
        save_file({"w": np.zeros(2)}, path)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_only_be_read_is_one_sentence(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(DataFileError, match=r"m\.safetensors: cannot be written.*denied"):
        save_file({"w": np.ones(2)}, tmp_path / "m.safetensors")
    assert os.listdir(tmp_path) == []
