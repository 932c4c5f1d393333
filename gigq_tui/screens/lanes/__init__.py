"""The lanes: named queues with limits."""
