"""Formulas: expressions, the symbols that build them, and how they are written."""
