"""Fit the study's forests and the structured model; the baseline that drift is measured against."""
