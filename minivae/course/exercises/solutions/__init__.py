"""The solved exercises; a student's file is one of these with the marked part cut out."""
