"""An HTTP server that holds out: bounded connections, answers that are read, headers that are refused in words."""
