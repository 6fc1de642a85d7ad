"""When o2cb last heard a node, by what its kernel module shows."""

from __future__ import annotations

from pathlib import Path

from nfsha_config.host import o2net
from nfsha_config.paths import Paths

# As Debian's 6.1.0-56 shows it.
SOCKET = """\
00000000ca4be2ba:
  krefs:           3
  sock:            192.168.50.11:7777 -> 192.168.50.12:43393
  remote node:     {node}
  page off:        0
  handshake ok:    1
  timer:           78971105 usecs
  data ready:      {ready} usecs
  advance start:   78971722 usecs
  advance stop:    78971728 usecs
  func start:      78971115 usecs
  func stop:       78971148 usecs
  func key:        0xfb870e75
  func type:       502
"""


def test_the_last_word_of_a_node_counts(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert o2net.lost("nfs2", 100.0, paths) == float("inf")
    place = paths.at("/sys/kernel/debug/o2net/sock_containers")
    place.parent.mkdir(parents=True)
    place.write_text("")
    assert o2net.lost("nfs2", 100.0, paths) == float("inf")
    # The old socket of a connection that was made anew may still be there.
    sockets = [("nfs3", 99000000), ("nfs2", 78970922), ("nfs2", 97500000)]
    place.write_text("".join(SOCKET.format(node=node, ready=ready) for node, ready in sockets))
    assert o2net.lost("nfs2", 100.0, paths) == 2.5
    assert o2net.lost("nfs3", 100.0, paths) == 1.0
    assert o2net.lost("nfs", 100.0, paths) == float("inf")
