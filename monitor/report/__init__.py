"""One look, one report: what is said, and how it is printed."""
