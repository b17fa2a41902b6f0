"""Benchmarks of the library against its peers; run ``python benchmarks/run.py``."""
