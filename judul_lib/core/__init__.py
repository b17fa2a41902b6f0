"""The base of all packages: errors, settings, files, tables, formatting, parallel work."""
