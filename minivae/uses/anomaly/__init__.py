"""Detecting anomalies: a detector of its own, the scores, their rates, a map of one picture.

A score says how unusual an example is; a threshold, found on normal data, turns it into an alarm.
Nothing here trains in a way of its own: the model behind a detector is an ordinary one.
"""
