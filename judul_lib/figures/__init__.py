"""Figures, tables and results as readers see them."""
