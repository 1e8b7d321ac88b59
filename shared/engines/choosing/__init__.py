"""What a choice of an engine rests on: times that noise cannot mislead, and what an earlier start found."""
