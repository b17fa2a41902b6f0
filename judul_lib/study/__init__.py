"""The study as published: corpus, preprocessing, labels, features, and its models as plain arrays."""
