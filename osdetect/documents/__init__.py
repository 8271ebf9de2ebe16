"""The documents that osdetect stores, and their identities (ids that are functions of content)."""
