"""A client's load and its judge: what was acknowledged, what was found, and how long it stood still."""
