"""What a process says of itself: log lines, metrics, timings."""
