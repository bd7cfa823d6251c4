"""`observed`: watch what each module of a model receives and returns."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from ..support.validation import check_callable, check_instance
from .module import Module, module_levels

__all__ = ["observed"]

MAX_DEPTH = 500  # of modules for whose calls there is more room, beside Python's own
FRAMES_OF_A_CALL = 5  # of an observed module, at most

See: TypeAlias = "Callable[[str, Module, tuple[Any, ...], Any], object]"


@contextlib.contextmanager
def observed(model: Module, see: See) -> Iterator[None]:
    """Call `see(name, module, inputs, output)` after each module's forward, in a `with` block.

    The model itself has the name "". A layer that is called twice is reported twice, and inner
    modules are reported before the modules that contain them. The `forward` of each module is
    replaced during the block and restored afterwards, even after an error; outside the block there
    is no overhead. Blocks can be nested. The return value of `see` is ignored; its exceptions reach
    the caller.

    Don't copy or pickle the model inside the block. Raises `ArgumentError` unless `model` is a
    Module.

    Source: `torch.nn.Module.register_forward_hook`, here for all modules and only within the block.

    >>> model = tg.nn.MLP(2, [3], 1)
    >>> with tg.nn.observed(model, lambda name, module, inputs, output: print(name, output.shape)):
    ...     result = model(np.ones((4, 2), np.float32))
    layers.0 (4, 3)
    layers.1 (4, 3)
    layers.2 (4, 1)
     (4, 1)
    """
    check_instance("observed", "model", model, Module, "a tg.nn.Module")
    check_callable("observed", "see", see)
    with contextlib.ExitStack() as restored:
        limit, depth = sys.getrecursionlimit(), min(len(module_levels(model)), MAX_DEPTH)
        restored.callback(sys.setrecursionlimit, limit)
        sys.setrecursionlimit(limit + FRAMES_OF_A_CALL * depth)
        for name, module in model.named_modules():
            own = vars(module)
            if "forward" in own:
                restored.callback(own.__setitem__, "forward", own["forward"])
            else:
                restored.callback(own.pop, "forward", None)
            own["forward"] = watch_forward(name, module, see)
        yield


def watch_forward(name: str, module: Module, see: See) -> Callable[..., Any]:
    """Return the module's forward, followed by a call of `see`."""
    forward = module.forward

    @functools.wraps(forward)
    def call(*inputs: Any, **options: Any) -> Any:
        output = forward(*inputs, **options)
        see(name, module, inputs, output)
        return output

    return call
