"""When the work will be done: past runs and free slots, and a simulation of the claims."""
