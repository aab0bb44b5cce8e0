"""The command `understudy`: it begins in `console`, and each subcommand is a module."""
