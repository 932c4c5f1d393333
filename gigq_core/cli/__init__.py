"""The `gigq-core` command."""
