"""The edge's page for people: what its cameras show, who answers, by which plan and why, over which link, and what went wrong."""
