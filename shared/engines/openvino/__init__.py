"""The engine that compiles halves with OpenVINO."""
