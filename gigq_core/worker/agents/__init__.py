"""Running jobs elsewhere: the link to an agent, and the agent at its far end."""
