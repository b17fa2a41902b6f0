"""Panels for JupyterLab: checking titles, and labelling pairs of them."""
