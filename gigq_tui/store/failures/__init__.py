"""The jobs that are failed now, grouped, and which of them are chosen for an action."""
