"""Who asks, whether that may do what it asks, and what each client has under way."""
