"""Chunking: how a file's bytes are cut, and what the pieces define."""
