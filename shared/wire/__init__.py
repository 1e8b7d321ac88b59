"""A frame on the wire. WIRE.md beside this file is its contract; no codec is known here."""
