"""What the pages weigh, how soon they are seen, and what their viewers cost the edge."""
