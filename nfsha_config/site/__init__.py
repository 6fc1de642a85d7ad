"""What a site is. Imports nothing of ours but problems and paths."""
