"""Measurements of the library against its peers; start with ``python benchmarks/run.py``."""
