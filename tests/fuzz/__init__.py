"""Hostile input. `python -m tests.fuzz TARGET --seconds 600` searches with atheris, guided by what of the code it
reaches; `test_targets` runs every target on its seeds, on what was ever found, and on what hypothesis thinks of."""
