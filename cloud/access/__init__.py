"""Who asks, whether that may do what it asks, what each client has under way, and what is written down of it."""
