"""Durations, sizes and moments: read from people and from the file, and said in words."""
