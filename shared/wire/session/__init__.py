"""The session protocol, version 1: a stream of frames and answers over one connection (shared/wire/SESSION.md)."""
