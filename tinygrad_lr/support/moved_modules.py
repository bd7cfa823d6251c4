"""Old addresses of classes and functions, for pickles of earlier versions.

A pickle names a class by its module: "tinygrad_lr.value", "Value". When a module moves, the pickles
that people have keep its old name. `FORMER_MODULES` maps it to the new one, and a finder at the end
of `sys.meta_path`, which Python asks about names that nobody else has found, imports an empty
module of the old name that looks names up in the new one. It costs nothing until then, and there is
no warning: whoever loads a pickle cannot do anything about it.

**A module that defines a public class or function moves?** Add a line. `tests/test_pickles.py`
loads what each release wrote. A module that became a package looks names up itself, with
`former_names`. Not here are `primitive` and `explain.derivation`, whose import would replace the
public function of that name, nor `explain.influences` and `plot.descent`, which are packages now:
only references to their functions would need them, since nothing that they make can be pickled.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

ROOT = __name__.partition(".")[0]

FORMER_MODULES = {
    # until 0.1.0
    "autodiff": "core.autodiff, core.jacobians",
    "compiler.compiled": "compiler.runtime.compiled",
    "compiler.threads": "compiler.llvm.threads",
    "data.categories": "data.standardizer",
    "explain.layers": "explain.graphs.layers",
    "explain.replay": "explain.graphs.replay",
    "explain.tracing": "explain.live.tracer",
    "gradient_check": "core.gradient_check",
    "nn.activation": "nn.activations",
    "nn.bilinear": "nn.linear",
    "nn.observe": "nn.hooks",
    "nn.overview": "nn.summaries",
    "nn.piecewise": "nn.activations",
    "nn.smooth": "nn.activations",
    "node": "core.node",
    "ops.convolution": "ops.windows.convolution",
    "ops.gated": "ops.recurrent",
    "ops.piecewise": "ops.activation",
    "ops.pooling": "ops.windows.pooling",
    "ops.powers": "ops.elementwise",
    "ops.recurrence": "ops.recurrent",
    "ops.selection": "ops.elementwise",
    "ops.smooth": "ops.activation",
    "ops.solving": "ops.linear_algebra",
    "ops.summation": "ops.linear_algebra",
    "ops.window_reductions": "ops.windows.window_reductions",
    "ops.windows": "ops.windows.geometry",  # a package today
    "optim.lion": "optim.adam",
    "page": "report_page",
    "page.report": "report_page.build",
    "plot.boundary": "plot.descent.boundary",
    "plot.classes": "plot.descent.classes",
    "plot.contours": "plot.descent.contours",
    "plot.course": "plot.descent.fit_progress",
    "plot.depth": "plot.influence.gradient_flow",
    "plot.graph_picture": "plot.graph.picture",
    "plot.hill": "plot.descent.loss_curve",
    "plot.landscape": "plot.descent.landscape",
    "plot.learning": "plot.descent.learning",
    "plot.network_drawing": "plot.influence.network_drawing",
    "plot.rates": "plot.descent.rates",
    "plot.replay": "plot.descent.arguments",
    "plot.weight_slice": "plot.influence.loss_slice",
    "recording": "core.grad_mode",
    "schedules.combined": "schedules.schedule",
    "train.plan": "train.state",
    "train.stopping": "train.monitors",
    "value": "core.value",
}
"""Old module: the modules that have its public names now."""


class FormerModuleFinder:
    """Finds the modules of `FORMER_MODULES`; its own loader."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec if the name is that of a former module."""
        root, _, rest = name.partition(".")
        if root != ROOT or rest not in FORMER_MODULES:
            return None
        return ModuleSpec(name, cls, is_package=True)  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """Return None: Python creates an empty module."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Give the module a `__getattr__` that looks names up where they are now."""
        vars(module)["__getattr__"] = former_names(module.__name__)


def former_names(module: str) -> Callable[[str], object]:
    """Return a `__getattr__` that finds what a module defined before it moved."""

    def __getattr__(name: str) -> object:  # noqa: N807
        if not name.startswith("__"):
            for place in FORMER_MODULES[module.partition(".")[2]].split(", "):
                new = importlib.import_module(f"{ROOT}.{place}")
                if name in vars(new):
                    found: object = vars(new)[name]
                    return found
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return __getattr__


def install_finder() -> None:
    """Let Python find the former modules, after everything that it finds without help."""
    if FormerModuleFinder not in sys.meta_path:
        sys.meta_path.append(FormerModuleFinder)
