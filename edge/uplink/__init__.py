"""The way to the cloud."""
