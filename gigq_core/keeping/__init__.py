"""How long jobs that have ended stay, where they go, and what takes the room of a file."""
