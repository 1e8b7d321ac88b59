"""The speed report."""
