"""What a takeover took to serve is read from its line of the history."""

import pytest

from nfsha_lab.errors import ProductError
from nfsha_lab.pace import serving_took

TOLD = (
    "2026-11-28 13:02:47  nfs2 took over from nfs1: "
    "fence 1.3 s, lock 8.2 s, nfsdcld 1.9 s, nfsd 2.2 s, gate 2.4 s, grace 8.7 s; 1 client called back"
)


def test_only_what_comes_after_the_lock_counts() -> None:
    assert serving_took(TOLD) == pytest.approx(6.5)


@pytest.mark.parametrize("line", ["", "nfs2 took over from nfs1: lock 8.2 s, nfsdcld 1.9 s; 1 client called back"])
def test_another_line_is_refused(line: str) -> None:
    with pytest.raises(ProductError, match="not the line of a takeover"):
        serving_took(line)
