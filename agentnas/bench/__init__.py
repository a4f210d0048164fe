"""Benchmarks: searchers compared on tables of finished trials, with every other data set as memory."""
