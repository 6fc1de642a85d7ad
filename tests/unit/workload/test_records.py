"""Records and the judgement on a file of them."""

import pytest

from nfsha_lab.workload.record import RECORD_SIZE, Piece, encode, scan
from nfsha_lab.workload.records import Audit, audit

RUN, WORKER = "0123abcd", "writer-0"


def file_of(*numbers: int) -> bytes:
    return b"".join(encode(RUN, WORKER, number) for number in numbers)


def test_record_has_fixed_width_and_one_newline_at_its_end() -> None:
    for worker, number in ((WORKER, 1), ("writer-100", 9_999_999_999)):
        record = encode(RUN, worker, number)
        assert len(record) == RECORD_SIZE and record.index(b"\n") == RECORD_SIZE - 1


def test_record_that_does_not_fit_is_a_bug() -> None:
    for run, worker, number in ((RUN, WORKER, 10**10), (RUN, "thirteen-long", 1), ("short", WORKER, 1)):
        with pytest.raises(ValueError, match="no record can hold"):
            encode(run, worker, number)


def test_every_flipped_bit_shows() -> None:
    for position in range(8 * RECORD_SIZE):
        content = bytearray(file_of(1, 2, 3))
        content[RECORD_SIZE + position // 8] ^= 1 << position % 8
        found = audit(scan(bytes(content), RUN, WORKER), {1, 2, 3}, set())
        assert found == Audit(torn=(2,)), f"bit {position}"


def test_record_of_another_run_or_worker_is_damage() -> None:
    content = file_of(1) + encode("ffffffff", WORKER, 2) + encode(RUN, "writer-1", 3) + file_of(4)
    assert scan(content, RUN, WORKER) == [
        Piece(1, RECORD_SIZE),
        Piece(None, 2 * RECORD_SIZE),
        Piece(4, RECORD_SIZE),
    ]


@pytest.mark.parametrize(
    ("content", "acknowledged", "in_doubt", "expected"),
    [
        (file_of(1, 2), {1, 2}, set(), Audit()),
        (b"", {1, 2}, {3}, Audit(missing=(1, 2))),
        (file_of(1, 3), {1, 3}, {2}, Audit()),
        (file_of(1, 2, 3), {1, 2}, {3}, Audit(beyond=(3,))),
        (file_of(1) + file_of(2)[:40], {1}, {2}, Audit()),
        (file_of(1) + file_of(2)[:40], {1, 2}, set(), Audit(torn=(2,))),
        (file_of(1) + bytes(RECORD_SIZE) + file_of(3), {1, 3}, {2}, Audit()),
        (file_of(1) + bytes(2 * RECORD_SIZE) + file_of(4), {1, 2, 3, 4}, set(), Audit(torn=(2, 3))),
        (file_of(1, 2, 2), {1, 2}, set(), Audit(duplicated=(2,))),
        (file_of(2, 1), {1, 2}, set(), Audit(out_of_order=(1,))),
        (file_of(1, 1, 3), {1, 2, 3}, set(), Audit(duplicated=(1,), missing=(2,))),
    ],
    ids=(
        "all there",
        "all gone",
        "a failed one did not land",
        "one beyond",
        "in doubt and torn",
        "acknowledged and torn",
        "hole where one failed",
        "hole where two were acknowledged",
        "twice",
        "swapped",
        "twice and the next missing",
    ),
)
def test_audit(content: bytes, acknowledged: set[int], in_doubt: set[int], expected: Audit) -> None:
    assert audit(scan(content, RUN, WORKER), acknowledged, in_doubt) == expected
