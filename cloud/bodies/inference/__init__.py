"""Requests and answers of the Open Inference Protocol, version 2: from bytes to work for a tail, and from outputs to bytes."""
