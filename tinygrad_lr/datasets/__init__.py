"""The data sets that ship with the package, each beside a note of where it comes from."""

from __future__ import annotations

from tinygrad_lr.datasets.sat_gpa import Students as Students
from tinygrad_lr.datasets.sat_gpa import sat_gpa as sat_gpa
from tinygrad_lr.datasets.sat_gpa import sat_gpa_path as sat_gpa_path

__all__ = ["Students", "sat_gpa", "sat_gpa_path"]
