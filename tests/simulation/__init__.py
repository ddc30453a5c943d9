"""Deterministic simulation: the whole engine on a virtual PBX, an hour of life a run, from one seed.

`python -m tests.simulation --seeds 10000` runs many; `--seed 17` replays one. See `life.live`.
"""
