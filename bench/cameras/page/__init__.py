"""What people who look at an edge's page cost its frames."""
