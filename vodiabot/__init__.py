"""vodiabot: an engine for bots that live on an extension of a Vodia PBX."""
