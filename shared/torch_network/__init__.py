"""Networks that come from torch: where their modules and weights come from, and how they are cut. The reference."""
