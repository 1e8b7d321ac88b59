"""The cloud's side of one connection of a session, without input and output."""
