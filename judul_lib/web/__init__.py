"""The page that checks titles, and the widgets of the notebooks."""
