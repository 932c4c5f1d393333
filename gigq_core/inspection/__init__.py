"""Reading a queue from outside: doctor, metrics, live stacks, an export."""
