"""One file a verb of the command line; `vodiabot.cli` only reads the arguments."""
