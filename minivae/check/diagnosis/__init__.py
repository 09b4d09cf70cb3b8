"""What is wrong with a gradient that was found wrong: the likely mistakes, in words.

It names mistakes and never judges: whether a gradient passes is decided in `verdict/`.
`README.md` tells how the mechanisms work together; read it before you touch them.
"""
