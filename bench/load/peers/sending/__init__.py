"""The clients: a process that needs no more than Python's own library, and grpcio for those who speak gRPC."""
