"""Audit trail, privacy, backup, promotion of models, reviews."""
