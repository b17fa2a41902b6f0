"""What a model is worth: metrics, splits, baselines, real archives, fairness, an archive's own gauge."""
