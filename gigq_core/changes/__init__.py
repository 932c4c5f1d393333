"""What people do to jobs, what follows from it, and how it is undone."""
