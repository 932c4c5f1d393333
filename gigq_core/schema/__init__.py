"""The file: its tables and triggers, every statement, and how a file is brought up to date."""
