"""Is a gradient right? Numerical derivatives, the comparison, the contract of a backward pass.

What the mistake may be is no concern here (`diagnosis/`), nor how it is shown (`report/`).
Only this room decides whether a gradient passes. `conventions`, `draws` and `frozen` stand alone:
they import NumPy and each other, so that the process of a student's file can load them.
"""
