"""Archives of any size: an index that answers exactly, and near-duplicates."""
