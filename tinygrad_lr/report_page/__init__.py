"""The report page: one HTML file that shows a run step by step, opens from disk, asks for nothing.

history, model, data ──report──> one JSON object of numbers ──document──> HTML ──browser──> panels

The numbers are collected here (`moments`, `surface`, `trials`, ...), once; what draws them is in
`browser/`: a style, small scripts, a panel each.
"""

from __future__ import annotations

from .build import Report as Report
from .build import report as report

__all__ = ["Report", "report"]


def __dir__() -> list[str]:
    return __all__
