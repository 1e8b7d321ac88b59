"""What a process shares with its machine: threads, memory, exit status, disk cache."""
