"""The third model: it reads titles as records and compares them aspect by aspect."""
