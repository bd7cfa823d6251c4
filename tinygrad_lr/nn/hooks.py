"""Watching a model at work: what each of its modules is given, and what it gives."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from ..errors import ArgumentError, bad_argument
from .module import Module

See: TypeAlias = "Callable[[str, Module, tuple[Any, ...], Any], object]"


@contextlib.contextmanager
def observed(model: Module, see: See) -> Iterator[None]:
    """Within this block, call see(name, module, inputs, output) after each forward of each module.

    The model itself has the name "", a layer that is called twice is seen twice, and inner
    modules are seen before those around them. The `forward` of each module is replaced while the
    block lasts, and put back however it ends; outside such blocks a model pays nothing. Blocks
    may be nested. What `see` returns is not looked at; what it raises reaches the caller.

    Do not copy or pickle the model inside the block. Raises `ArgumentError` for what is no module.

    Source: `torch.nn.Module.register_forward_hook`, for a while and for all modules.

    >>> model = tg.nn.MLP(2, [3], 1)
    >>> with tg.nn.observed(model, lambda name, module, inputs, output: print(name, output.shape)):
    ...     result = model(np.ones((4, 2), np.float32))
    layers.0 (4, 3)
    layers.1 (4, 3)
    layers.2 (4, 1)
     (4, 1)
    """
    if not isinstance(model, Module):
        raise ArgumentError(
            bad_argument(
                "observed", "model is no module", expected="a Module", given=f"{model!r:.60}"
            )
        )
    with contextlib.ExitStack() as restored:
        for name, module in model.named_modules():
            own = vars(module)
            if "forward" in own:
                restored.callback(own.__setitem__, "forward", own["forward"])
            else:
                restored.callback(own.pop, "forward", None)
            own["forward"] = watched(name, module, see)
        yield


def watched(name: str, module: Module, see: See) -> Callable[..., Any]:
    """The module's forward, after which `see` is called."""
    forward = module.forward

    @functools.wraps(forward)
    def call(*inputs: Any, **options: Any) -> Any:
        output = forward(*inputs, **options)
        see(name, module, inputs, output)
        return output

    return call
