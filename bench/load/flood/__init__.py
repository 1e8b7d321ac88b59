"""Many clients with tokens, over TLS, far above what the cloud can do, half of whom leave."""
