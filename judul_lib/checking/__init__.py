"""Check titles against an archive; model folders and their versions."""
