"""Everything that is looked at: pictures, benchmarks, traces, formulas, the reader's pages.

What is shown is computed elsewhere; nothing here trains, judges or writes a run.
Each function says where it draws or writes, and opens no window of its own.
"""
