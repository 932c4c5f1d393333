"""A job queue in one SQLite file: jobs, queue, workers, workflows."""
