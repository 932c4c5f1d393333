"""The user's functions, before anybody runs them: where one is, and how it can be called."""
