"""Bytes per frame against accuracy where frames travel as a stream: a session of a clip's consecutive frames."""
