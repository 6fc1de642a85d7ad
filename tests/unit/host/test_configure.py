"""What a machine should be is decided whole, with all problems at once, before anything is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfsha_config.host import configure, machine
from nfsha_config.host.machine import Machine
from nfsha_config.paths import Paths
from nfsha_config.problems import InputError, Refused
from nfsha_config.site import load
from nfsha_config.site.settings import MEANING

LAB = load.LAB.read_text(encoding="utf-8")
SECRETS = {"secret.node": "the-nodes-own-secret", "secret.target": "the-targets-own-secret"}
NODE, CLIENT, TARGET = "nfsha-node", "nfsha-client", "nfsha-iscsi-target"
LUN = load.load(LAB, "lab").lun_path


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A machine with all three packages' sites, as dpkg leaves it."""
    paths = Paths(tmp_path)
    for package in (NODE, CLIENT, TARGET):
        place = paths.packaged_site(package)
        place.parent.mkdir(parents=True)
        place.write_text(LAB)
    return paths


@pytest.fixture(autouse=True)
def first_node(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine is nfs1."""
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "nfs1", "6.1", "", "x86_64")))
    yield


def tree(paths: Paths) -> dict[str, tuple[int, bytes]]:
    """Every file with its mode and bytes."""
    found = (path for path in paths.root.rglob("*") if path.is_file())
    return {str(path.relative_to(paths.root)): (path.stat().st_mode & 0o7777, path.read_bytes()) for path in found}


def problems(package: str, answers: dict[str, str], paths: Paths) -> list[str]:
    """What is said when it can't be decided; and nothing is written then."""
    before = tree(paths)
    with pytest.raises(InputError) as caught:
        configure.configure(package, answers, paths)
    assert tree(paths) == before
    assert "own-secret" not in str(caught.value)
    return [line.replace(str(paths.root), "") for line in str(caught.value).splitlines()]


def test_first_install_of_a_node(paths: Paths) -> None:
    wanted = configure.decide(NODE, {**SECRETS, "node": "nfs1", "format": "true"}, paths)
    assert wanted.site == load.load(LAB, "lab")
    assert wanted.site_text == LAB
    assert wanted.machine == Machine("nfs1", LUN)
    assert wanted.node == wanted.site.nodes[0]
    assert wanted.secrets is not None and wanted.secrets.node == "the-nodes-own-secret"
    assert {file.path for file in wanted.files} >= {"/etc/keepalived/keepalived.conf", "/etc/exports.d/nfsha.exports"}


def test_all_problems_at_once(paths: Paths) -> None:
    answers = {"node": "nfs9", "secret.node": "short", "set.network.router_id": "7"}
    assert problems(NODE, answers, paths) == [
        'nfsha-node: node: name = "nfs9": is not a node of the site (take one of nfs1, nfs2: dpkg-reconfigure nfsha-node)',
        "nfsha-node: secrets: node: is too short, too long or has other characters "
        "(take 12 to 64 letters, digits and . _ + / = -)",
        "nfsha-node: secrets: target: is missing (`nfsha secrets init` makes the file)",
    ]  # fmt: skip


def test_problems_of_the_site_and_of_the_secrets_together(paths: Paths) -> None:
    paths.site.parent.mkdir(parents=True)
    paths.site.write_text(LAB.replace("router_id = 101", "router_id = 999"))
    said = problems(NODE, {}, paths)
    assert [line.partition(" (")[0] for line in said] == [
        "nfsha-node: /etc/nfsha/site.toml: network.router_id = 999: is outside 1 to 255",
        "nfsha-node: /etc/nfsha/secrets: file: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("file", "data", "said"),
    [
        ("site.toml", b"caf\xe9 = 1\n", "nfsha-node: /etc/nfsha/site.toml: file: is not UTF-8 text"),
        ("site.toml", b"[cluster\n", "nfsha-node: site.toml: TOML: "),
        ("host.toml", b"caf\xe9 = 1\n", "nfsha-node: /etc/nfsha/host.toml: TOML: "),
        ("host.toml", b"node = 3\n", "nfsha-node: /etc/nfsha/host.toml: node, consent_to_format: are not strings"),
        ("secrets", b"caf\xe9 = 1\n", "nfsha-node: /etc/nfsha/secrets: file: is not UTF-8 text"),
    ],
)
def test_a_broken_file_is_a_problem_and_no_traceback(file: str, data: bytes, said: str, paths: Paths) -> None:
    paths.site.parent.mkdir(parents=True)
    (paths.site.parent / file).write_bytes(data)
    (paths.site.parent / file).chmod(0o600)
    shown = problems(NODE, {} if file == "secrets" else SECRETS, paths)
    assert len(shown) == 1 and shown[0].startswith(said)


def test_a_wrong_answer_hides_no_other_problem(paths: Paths) -> None:
    wrong = {**SECRETS, "set.network.router_id": "999", "set.timings.nfs_lease": "x"}
    both = ["nfsha-node: answers: network.router_id = 999", 'nfsha-node: answers: timings.nfs_lease = "x"']

    def said(**answers: str) -> list[str]:
        return [line.partition(": is ")[0] for line in problems(NODE, {**wrong, **answers}, paths)]

    assert said(node="nfs2") == [*both, 'nfsha-node: node: name = "nfs2"']
    assert said(**{"set.timings.nfs_grace": "14"}) == [*both, "nfsha-node: /etc/nfsha/site.toml: timings.nfs_grace = 14"]


def test_a_broken_file_of_the_machine_is_mended_by_its_answers(paths: Paths) -> None:
    paths.host.parent.mkdir(parents=True)
    paths.host.write_bytes(b"caf\xe9 = 1\n")
    assert configure.decide(NODE, {**SECRETS, "node": "nfs1"}, paths).machine == Machine("nfs1", ""), "no consent is guessed"


def test_no_site_at_all(tmp_path: Path) -> None:
    assert problems(CLIENT, {}, Paths(tmp_path)) == [
        "nfsha-client: /etc/nfsha/site.toml: file: is missing (install nfsha-client from your site's repository)"
    ]


def test_an_unknown_answer(paths: Paths) -> None:
    assert problems(CLIENT, {"colour": "own-secret-red", "nodes": ""}, paths) == [
        f"answers: {key}: is not an answer (known: node, format, secret.node, secret.target, set.KEY)"
        for key in ("colour", "nodes")
    ]


def test_this_machine_has_another_name(paths: Paths) -> None:
    assert problems(NODE, {**SECRETS, "node": "nfs2"}, paths) == [
        'nfsha-node: node: name = "nfs2": is not this machine\'s host name, which is nfs1 '
        "(o2cb finds itself by the host name: hostnamectl set-hostname nfs2, or mend the site)"
    ]


@pytest.mark.parametrize(
    ("answers", "consent"), [({}, ""), ({"format": "false"}, ""), ({"format": "true"}, LUN), ({"format": "yes"}, "")]
)
def test_consent(answers: dict[str, str], consent: str, paths: Paths) -> None:
    wanted = configure.decide(NODE, {**SECRETS, **answers}, paths)
    assert wanted.machine == Machine("nfs1", consent)


def test_only_the_first_node_can_consent(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "nfs2", "6.1", "", "x86_64")))
    wanted = configure.decide(NODE, {**SECRETS, "format": "true"}, paths)
    assert wanted.machine == Machine("nfs2", "")


def test_consent_stays_until_it_is_used(paths: Paths) -> None:
    paths.site.parent.mkdir(parents=True)
    machine.save(Machine("nfs1", LUN), paths)
    assert configure.decide(NODE, SECRETS, paths).machine == Machine("nfs1", LUN)
    machine.withdraw_consent(paths)
    assert configure.decide(NODE, SECRETS, paths).machine == Machine("nfs1", "")


def test_consent_is_for_one_device(paths: Paths) -> None:
    """An answer that moves the LUN moves what the consent would be for, and an old consent is for the old one."""
    answers = {**SECRETS, "format": "true", "set.storage.portal": "192.168.50.21:3260"}
    wanted = configure.decide(NODE, answers, paths)
    assert wanted.machine is not None and wanted.machine.consent == LUN.replace("50.20", "50.21")


def test_target(paths: Paths) -> None:
    assert configure.configure(TARGET, SECRETS, paths) == [str(paths.site), str(paths.secrets)]
    assert paths.site.read_text() == LAB
    assert paths.secrets.stat().st_mode & 0o7777 == 0o600
    assert not paths.at("/etc/tgt").exists()
    assert configure.configure(TARGET, {}, paths) == []


def test_client_there_and_back(paths: Paths) -> None:
    before = tree(paths)
    changed = configure.configure(CLIENT, {"set.client.mount_point": "/mnt/nfs-data"}, paths)
    units = ["mnt-nfs\\x2ddata.automount", "mnt-nfs\\x2ddata.mount"]
    assert changed == [str(paths.site), *(f"/etc/systemd/system/{unit}" for unit in units)]
    wants = paths.at("/etc/systemd/system/multi-user.target.wants")
    assert os.listdir(wants) == units[:1]
    assert configure.configure(CLIENT, {}, paths) == []
    configure.deconfigure(CLIENT, paths)
    assert not wants.exists() or not os.listdir(wants)
    left = {path: file for path, file in tree(paths).items() if not path.startswith(("etc/nfsha/", "var/lib/nfsha/"))}
    assert left == before


def test_another_mount_point_leaves_no_old_units(paths: Paths) -> None:
    configure.configure(CLIENT, {}, paths)
    configure.configure(CLIENT, {"set.client.mount_point": "/mnt/x"}, paths)
    system = paths.at("/etc/systemd/system")
    assert sorted(os.listdir(system)) == ["mnt-x.automount", "mnt-x.mount", "multi-user.target.wants"]
    assert os.listdir(system / "multi-user.target.wants") == ["mnt-x.automount"]


def test_deconfigure_needs_no_valid_site(paths: Paths) -> None:
    configure.configure(CLIENT, {}, paths)
    paths.site.write_text("broken")
    configure.deconfigure(CLIENT, paths)
    assert not list(paths.at("/etc/systemd/system").glob("data.*"))


def test_a_file_edited_by_hand_is_kept_beside_the_site(paths: Paths) -> None:
    configure.configure(CLIENT, {}, paths)
    mount = paths.at("/etc/systemd/system/data.mount")
    edited = mount.read_text() + "# mine\n"
    mount.write_text(edited)
    configure.deconfigure(CLIENT, paths)
    assert not mount.exists()
    assert paths.at("/etc/nfsha/etc_systemd_system_data.mount.edited").read_text() == edited


def test_an_edit_survives_a_new_revision(paths: Paths) -> None:
    configure.configure(CLIENT, {}, paths)
    paths.site.write_text(LAB.replace("router_id = 101", "router_id = 77  # ours"))
    new = LAB.replace("revision = 1", "revision = 2").replace('fail_back = "manual"', "").replace(":3260", ":3261")
    paths.packaged_site(CLIENT).write_text(new)
    wanted = configure.decide(CLIENT, {}, paths)
    assert (wanted.site.network.router_id, wanted.site.cluster.revision, wanted.site.storage.portal.port) == (77, 2, 3261)
    configure.configure(CLIENT, {}, paths)
    assert paths.applied_site.read_text() == new
    paths.packaged_site(CLIENT).write_text(LAB.replace("revision = 1", "revision = 3"))
    wanted = configure.decide(CLIENT, {}, paths)
    assert (wanted.site.network.router_id, wanted.site.cluster.revision, wanted.site.storage.portal.port) == (77, 3, 3260)


def test_plan_is_what_configure_would_change(paths: Paths) -> None:
    configure.configure(CLIENT, {}, paths)
    assert configure.plan(CLIENT, paths) == []
    mount = paths.at("/etc/systemd/system/data.mount")
    mount.write_bytes(b"caf\xe9")
    assert configure.plan(CLIENT, paths) == ["/etc/systemd/system/data.mount"]
    assert mount.read_bytes() == b"caf\xe9"
    assert configure.configure(CLIENT, {}, paths) == ["/etc/systemd/system/data.mount"]


def test_what_a_change_costs_is_told_before_it_is_made(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    configure.configure(CLIENT, {}, paths)
    assert not caplog.messages
    paths.site.write_text(LAB.replace('mount_point = "/data"', 'mount_point = "/mnt/x"'))
    told = ["client.mount_point: /data -> /mnt/x: reload", f"reload: {MEANING['reload']}"]
    planned = configure.plan(CLIENT, paths)
    assert planned == [*told, "/etc/systemd/system/mnt-x.automount", "/etc/systemd/system/mnt-x.mount"]
    configure.configure(CLIENT, {}, paths)
    assert caplog.messages == told
    assert configure.plan(CLIENT, paths) == []


def test_an_outage_is_refused_and_nothing_is_written(paths: Paths) -> None:
    paths.configured_site(NODE).parent.mkdir(parents=True)
    paths.configured_site(NODE).write_text(LAB)
    paths.at("/proc/self").mkdir(parents=True)
    paths.at("/proc/self/mounts").write_text("/dev/sda1 /var/lib/nfs ocfs2 rw 0 0\n")
    before = tree(paths)
    with pytest.raises(Refused, match=r"network\.router_id: 101 -> 77: is an outage"):
        configure.configure(NODE, {**SECRETS, "set.network.router_id": "77"}, paths)
    assert tree(paths) == before


def test_what_another_node_has_otherwise_is_refused_with_all_other_problems(paths: Paths) -> None:
    place = paths.shared("site.nfs2.toml")
    place.parent.mkdir(parents=True)
    place.write_text(LAB)
    said = problems(NODE, {"secret.node": "short", "set.network.router_id": "77"}, paths)
    assert [line.partition(" (")[0] for line in said] == [
        "nfsha-node: nfs2: network.router_id = 77: is 101 there",
        "nfsha-node: secrets: node: is too short, too long or has other characters",
        "nfsha-node: secrets: target: is missing",
    ]
