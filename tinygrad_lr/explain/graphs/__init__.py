"""Read a recorded graph: its layers, its names, its values at other weights."""
