"""What the data budget of an hour has left."""
