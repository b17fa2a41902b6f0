"""The study as published: corpus, preprocessing, labels, features, models as plain arrays."""
