"""Convolutions and pooling: operations over windows that slide along an array."""

from ...support.moved_modules import former_names as _former_names

__getattr__ = _former_names(__name__)  # for pickles: it was a module until 0.1.0
