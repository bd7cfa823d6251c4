"""The engine: values, primitives, the graph, the chain rule."""
