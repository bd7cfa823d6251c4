"""Convolutions and pooling: operations over windows that slide along an array."""
