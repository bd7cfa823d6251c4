"""The chain rule from a loss back to one weight, step by step."""
