"""How a cloud alone scales, and how well that can be told from one thread."""
