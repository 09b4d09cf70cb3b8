"""A subcommand a module: `configure(parser)` defines its options, `run(options)` does the work."""
