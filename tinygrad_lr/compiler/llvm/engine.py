"""Compile the text of an LLVM module to machine code, unless its object file is in the cache."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding.newpassmanagers import NewPassManager

from ..ir.stages import Stages
from . import object_cache

RunFunction = ctypes.CFUNCTYPE(
    ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)


_pausing: list[bool] = []  # True if a thread has stopped the garbage collector for a while


def resume_collections() -> None:
    """Let a child process collect garbage, in which the thread that would do so is missing."""
    if _pausing:
        _pausing.clear()
        gc.enable()


def _register_at_fork() -> None:
    """Let a fork wait until no thread is within LLVM, whose state a child could not repair."""
    lock = llvm.ffi.lib._lock
    release = functools.partial(lock.__exit__, None, None, None)
    os.register_at_fork(before=lock.__enter__, after_in_parent=release, after_in_child=release)
    os.register_at_fork(after_in_child=resume_collections)


if hasattr(os, "register_at_fork"):
    _register_at_fork()


@functools.cache
def _target() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple()


@functools.cache
def describe_cpu() -> tuple[str, str]:
    """Return LLVM's name of this CPU, and its features."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


MAX_OPTIMIZED_SIZE = 200_000
"""The characters of a module's text up to which all of LLVM's passes run.

They take 4 to 20 times as long as the three that matter, and gain up to 8 %: for a module of this
size they take 0.05 s, for a long one more than its run is likely to win back.
"""


class InvalidModule(Exception):  # noqa: N818 - no error: a reason to call NumPy instead
    """A module that LLVM must not be given: it would end the process."""


class NativeCode:
    """Machine code, run by `function`.

    `text` is called for the text of the module only if no object of the same key is in the cache:
    emitting the text takes longer than reading an object. Raises `InvalidModule`.
    """

    def __init__(self, key: str, text: Callable[[], str], name: str, stages: Stages) -> None:
        with stages.measure("look into the cache"):
            cpu, features = describe_cpu()
            machine = _target().create_target_machine(opt=3, cpu=cpu, features=features)
            name_of_object = object_cache.make_name(key, cpu, features)
            code = object_cache.read(name_of_object)
        if code is None:
            with pause_collections():
                code = _compile(text, machine, stages)
            object_cache.write(name_of_object, code)
        with stages.measure("load"):
            empty = llvm.parse_assembly("")
            empty.triple = llvm.get_default_triple()
            self._engine = llvm.create_mcjit_compiler(empty, machine)
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            self._engine.finalize_object()
            self.function = RunFunction(self._engine.get_function_address(name))


@contextlib.contextmanager
def pause_collections() -> Iterator[None]:
    """Don't look for garbage during the block, which makes many objects and few cycles.

    In a large process a look at all of them takes as long as compiling.
    """
    if not gc.isenabled():
        yield
        return
    try:
        _pausing.append(True)
        gc.disable()
        yield
    finally:
        gc.enable()
        _pausing.clear()


def _compile(text: Callable[[], str], machine: Any, stages: Stages) -> bytes:
    """Return the object of a module's text. Raises `InvalidModule`."""
    with stages.measure("write LLVM"):
        written = text()
    with stages.measure("parse"):
        try:
            module = llvm.parse_assembly(written)
            module.verify()
        except RuntimeError as error:
            raise InvalidModule(str(error)) from None
        module.triple = llvm.get_default_triple()
        module.data_layout = str(machine.target_data)
    with stages.measure("optimise"):
        _optimize(module, machine, len(written))
    with stages.measure("generate code"):
        code: bytes = machine.emit_object(module)
    return code


def _optimize(module: Any, machine: Any, size: int) -> None:
    """Optimise a module, whose text has `size` characters."""
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False  # kernels are vectorized by hand
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    if size <= MAX_OPTIMIZED_SIZE:
        passes = builder.getModulePassManager()
    else:
        passes = llvm.create_new_module_pass_manager()
        passes.add_sroa_pass()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
    passes.run(module, builder)
    # in llvmlite 0.50 a pass manager's `close` frees nothing: 80 kB for each module
    NewPassManager._dispose(passes)
    passes.detach()
