"""What is printed, logged or written, so that it harms no terminal and waits for nobody."""
