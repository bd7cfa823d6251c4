"""Programs: instructions, their layout in memory, and the passes that improve them."""
