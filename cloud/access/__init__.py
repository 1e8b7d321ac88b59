"""Who asks, and what each client has under way."""
