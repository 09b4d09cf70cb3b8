"""What a trained model is for: one use, one folder (or one file, where it is that short).

A use imports the rooms before it and never another use's inside; a command imports the use.
"""
