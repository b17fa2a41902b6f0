"""People's labels: choosing pairs, collecting answers, measuring agreement, retraining."""
