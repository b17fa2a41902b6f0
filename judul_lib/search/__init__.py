"""Archives of any size: an index with exact search, and near-duplicates."""
