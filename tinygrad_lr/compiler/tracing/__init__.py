"""Trace a function: run it once on arrays that turn operations into instructions."""
