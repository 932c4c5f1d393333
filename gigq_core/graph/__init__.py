"""Jobs that depend on each other: what hangs together, who is to blame, what is held up."""
