"""Draw computation graphs."""
