"""From the text of a module to machine code, with a cache of objects on disk."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm

from . import object_cache

Run = ctypes.CFUNCTYPE(
    ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)


@functools.cache
def _target() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple()


@functools.cache
def processor() -> tuple[str, str]:
    """The name of this CPU, and its features, as LLVM has them."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


class Native:
    """Machine code that is run by `function`. It is made of a module's text, which is asked for
    only where no object of the same form is in the cache.
    """

    def __init__(self, form: str, text: Callable[[], str], name: str) -> None:
        name_of_cpu, features = processor()
        machine = _target().create_target_machine(opt=3, cpu=name_of_cpu, features=features)
        key = object_cache.key(form, name_of_cpu, features)
        found = object_cache.read(key)
        if found is None:
            module = llvm.parse_assembly(text())
            module.triple = llvm.get_default_triple()
            module.data_layout = str(machine.target_data)
            _optimize(module, machine)
            found = machine.emit_object(module)
            object_cache.write(key, found)
        empty = llvm.parse_assembly("")
        empty.triple = llvm.get_default_triple()
        self._engine = llvm.create_mcjit_compiler(empty, machine)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(found))
        self._engine.finalize_object()
        self.function = Run(self._engine.get_function_address(name))


def _optimize(module: Any, machine: Any) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False  # the code is vectors already
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
