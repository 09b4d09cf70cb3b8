"""The solved exercises; a student's file is one of these with the marked part cut out.

Nothing else lives here, and no file here imports another: each is handed out alone.
"""
