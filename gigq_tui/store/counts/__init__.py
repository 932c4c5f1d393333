"""Counting jobs by what they have in common, for the console."""
