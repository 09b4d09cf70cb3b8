"""What a course needs: exercises to hand out, and the grading of what comes back.

Whether a gradient is right is decided in `check/`; here is how students' files are found, run
apart from everything else, and given points.
"""
