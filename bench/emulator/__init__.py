"""A link emulator."""
