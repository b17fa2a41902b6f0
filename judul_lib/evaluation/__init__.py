"""Evaluation of models: splits, baselines, leaderboard, real archives, fairness, an archive's gauge."""
