"""Sessions: frames and answers as messages of one WebSocket (shared/wire/SESSION.md)."""
