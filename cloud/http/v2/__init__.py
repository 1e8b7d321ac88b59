"""The Open Inference Protocol, version 2, at `/v2` (docs/inference-protocol.md)."""
