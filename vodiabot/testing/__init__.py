"""The kit for authors of plugins (docs/testing.md): a PBX and people in virtual time, and the pytest plugin."""
