"""TLS for both sides: contexts, certificates and their renewal, and a CA of one's own."""
