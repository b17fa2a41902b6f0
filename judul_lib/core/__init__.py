"""What everything stands on: errors, settings, files, tables, formatting, processes."""
