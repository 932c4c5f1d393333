"""Files and processes as the system has them: paths, locks, who is alive, what changed."""
