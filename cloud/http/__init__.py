"""The cloud's endpoints."""
