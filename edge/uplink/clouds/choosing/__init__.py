"""Which cloud is asked about a frame: how busy each is, what it may be given, and how often a frame may be sent again."""
