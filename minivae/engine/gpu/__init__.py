"""What a step needs on a GPU: kernels as data, and noise moved ahead to the device.

CuPy is imported when the backend "cuda" is asked for, and nowhere else.
No operation's formula lives here: the body of a kernel stands in the file of its operation.
"""
