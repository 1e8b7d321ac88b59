"""Bringing the codecs' profiles to clouds that lack them, of which several may be behind one address."""
