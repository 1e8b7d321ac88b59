"""What a process owes to its machine: threads, memory, exit status, cache."""
