"""The cloud's pages for people: what it does at the moment, and how a browser logs in."""
