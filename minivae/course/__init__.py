"""What a course needs: exercises to hand out, and the grading of what comes back.

Here students' files are found, run apart from everything else, and given points. Nothing here
decides whether a gradient is right: that is asked of `check/`.
"""
