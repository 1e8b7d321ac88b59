"""A network: its weights, its recipe, and the places where it can be cut."""
