"""The engine: Values, primitives, the graph, the chain rule. README.md shows the way in."""
