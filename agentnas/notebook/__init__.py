"""A run in a notebook: how it is shown, its trials as a table, and its progress while it goes on."""
