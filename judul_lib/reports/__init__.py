"""Notebooks run in order and rendered as reports."""
