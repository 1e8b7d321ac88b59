"""What cameras give over HTTP: single pictures, pictures in one endless answer, or a video."""
