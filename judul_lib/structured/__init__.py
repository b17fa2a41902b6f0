"""The third model: titles parsed into records and compared aspect by aspect."""
