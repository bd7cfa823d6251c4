"""Trace a function: run it once on arrays that write down what is done to them."""
