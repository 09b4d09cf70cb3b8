"""Is a gradient right? Numerical derivatives, the comparison, the contract of a backward pass.

What the mistake may be is no concern here (`diagnosis/`), nor how it is shown (`report/`).
Only this room decides whether a gradient passes.
"""
