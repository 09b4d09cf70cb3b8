"""The process that runs a student's file: `python -I worker` starts it.

It holds nothing worth stealing. It is given inputs and returns what the student's functions make
of them; numerical gradients, comparisons and points are made by the grader, in another process.
Nothing in this folder imports the rest of minivae, so that it starts at once; what it shares with
the check is loaded from `check/verdict` by path.
"""
