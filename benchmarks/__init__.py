"""Measures the queue against its peers and against the disk; run `python -m benchmarks`."""
