"""The profiles that edges have sent: what each costs, whose it is, and for how long it stays."""
