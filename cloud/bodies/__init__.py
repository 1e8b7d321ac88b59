"""What arrives in a request's body."""
