"""What makes a step fast on a CPU: compiled loops, memory used again, threads that share the work.

Every number that comes out of here is also computed by NumPy in a reference that stands beside it.
Nothing here knows an operation's formula; `README.md` tells how the parts work together.
"""
