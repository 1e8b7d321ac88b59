"""The planner over emulated links."""
