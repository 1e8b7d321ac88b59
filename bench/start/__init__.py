"""The report on starting: how soon a process answers, and what it weighs at work."""
