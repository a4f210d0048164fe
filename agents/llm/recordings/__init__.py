"""Recorded runs that ship with the product; each a file of JSON Lines for ``replay:NAME``."""
