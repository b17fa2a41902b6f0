"""Run the notebooks in their order and render them as reports."""
