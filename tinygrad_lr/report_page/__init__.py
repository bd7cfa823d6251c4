"""The report page: one HTML file that shows a run step by step and opens from disk.

    history, model, data ──payload──> one JSON object ──document──> HTML ──browser──> panels

`schema` describes the object. Its numbers are computed once, here (`frames`, `surface`,
`learning_rate_trials`); the scripts in `browser/` draw them, a panel each.
"""

from __future__ import annotations

from .build import Report as Report
from .build import report as report

__all__ = ["Report", "report"]


def __dir__() -> list[str]:
    return __all__
