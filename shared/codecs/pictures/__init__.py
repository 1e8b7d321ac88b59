"""Pictures that travel as they are, or in a common image format, and what the files of those formats hold."""
