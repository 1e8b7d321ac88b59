"""A cloud under attack by a client with a valid token, and what an honest client notices of it."""
