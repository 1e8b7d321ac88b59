"""The cloud as a process, or as several that share a port: their start, their end, and what they tell each other."""
