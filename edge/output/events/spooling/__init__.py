"""The parts of the spool: its files, how far each target is, and what a target has yet to get."""
