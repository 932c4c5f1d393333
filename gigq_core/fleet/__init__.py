"""What the file tells of workers and their agents, and what can be asked of them through it."""
