"""The committed reference page says what the settings table says."""

from __future__ import annotations

from pathlib import Path

from nfsha_config.site import reference
from nfsha_config.site.settings import SETTINGS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "site.md"


def test_committed_page_is_the_generated_one() -> None:
    hint = "run: /usr/bin/python3 -m nfsha_config.site.reference > docs/reference/site.md"
    assert PAGE.read_text(encoding="utf-8") == reference.page(), hint


def test_each_setting_has_its_section() -> None:
    page = reference.page()
    for setting in SETTINGS:
        assert f"### {setting.name}\n\n{setting.help}" in page
        assert setting.why in page
    assert page.count("\n### ") == len(SETTINGS)
    assert "\n\n\n" not in page
    assert page.endswith("\n")
