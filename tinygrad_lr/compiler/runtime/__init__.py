"""Compiled functions: specialise for a signature, call, differentiate, loop."""
