"""A subcommand a module: `configure(parser)` defines its options, `run(options)` does the work.

`main.py` lists them.
No module here imports another one: what several share lies beside this folder.
"""
