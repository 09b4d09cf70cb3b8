"""Detecting anomalies: a detector of its own, the scores, their rates, a map of one picture."""
