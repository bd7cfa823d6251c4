"""Print each operation and each rule as it runs."""
