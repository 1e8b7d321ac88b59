"""The parts of a profile, each in closed form."""
