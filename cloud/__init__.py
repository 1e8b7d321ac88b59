"""The cloud: takes frames, runs tails, answers with the top classes. Imports `shared`, never `edge`."""
