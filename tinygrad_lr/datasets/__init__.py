"""The data sets that ship with the package, each beside a note of where it comes from."""

from __future__ import annotations

from .students import Students as Students
from .students import sat_gpa as sat_gpa
from .students import sat_gpa_path as sat_gpa_path

__all__ = ["Students", "sat_gpa", "sat_gpa_path"]
