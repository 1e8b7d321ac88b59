"""What is asked of a cloud about a frame, by which way, and what comes back."""
