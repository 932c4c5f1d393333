"""Named queues with limits: their rules, and which of their jobs are shown to workers."""
