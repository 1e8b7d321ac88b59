"""Who comes in, what he may do, and what is written down of it."""
