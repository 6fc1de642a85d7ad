"""Property tests that say the same on each run, and leave nothing beside pytest's own cache."""

from __future__ import annotations

from pathlib import Path

from hypothesis import configuration, settings

configuration.set_hypothesis_home_dir(Path(__file__).parents[2] / ".pytest_cache" / "hypothesis")
settings.register_profile("same", derandomize=True, database=None, deadline=None, max_examples=40)
settings.load_profile("same")
