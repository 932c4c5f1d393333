"""A terminal console for a job queue that lives in one SQLite file."""
