"""New jobs: checked, keyed, and put into the file in the one way there is."""
