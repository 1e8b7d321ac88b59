"""The task `detect`: boxes around what is seen."""
