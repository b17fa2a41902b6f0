"""The log of answers and opinions, and what it tells: monitoring, drift, alerts."""
