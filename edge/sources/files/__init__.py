"""Sources that wait for their reader: videos and pictures. Every frame is given, in order."""
