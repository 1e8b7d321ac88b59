"""What the page shows, gathered from records and metrics: a state for everybody who looks."""
