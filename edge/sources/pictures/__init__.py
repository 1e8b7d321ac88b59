"""Pictures in files: whether they are whole, what frames they hold, and how they become 8 bits deep."""
