"""The questions and the maintainer scripts, under a real debconf that asks nobody."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nfsha_config.build import preseed
from nfsha_config.site import load
from nfsha_config.site.secrets import Secrets
from nfsha_config.site.settings import BY_KEY
from tests.packages.conftest import Debconf

pytestmark = pytest.mark.slow
SITE = load.load_file(load.LAB)
CHAP = Secrets("node-secret-0123456789", "target-secret-0123456789")
LAB = load.LAB.read_text(encoding="utf-8")


def edited(old: str, new: str) -> str:
    assert old in LAB
    return LAB.replace(old, new)


def test_a_preseeded_first_node_gets_everything_from_its_preseed(debconf: Debconf) -> None:
    debconf.preseed(preseed.text("nfs1", SITE, CHAP, format_lun=True))
    done = debconf.script("postinst", "configure", "")
    assert done.returncode == 0, done.stderr
    assert (debconf.folder / "called").read_text().strip() == "configure nfsha-node --answers -"
    assert debconf.answers == {
        "node": "nfs1", "format": "true", "secret.node": CHAP.node, "secret.target": CHAP.target,
        "set.network.virtual_address": "192.168.50.10/24", "set.network.interface": "eth1",
        "set.network.router_id": "101",
        "set.network.fail_back": "manual", "set.network.witnesses": "", "set.storage.portal": "192.168.50.20:3260",
        "set.storage.iqn": "iqn.2018-08.es.raulpedroche:lun1", "set.client.mount_point": "/data",
        "set.timings.vrrp_interval": "1", "set.timings.o2cb_threshold": "16", "set.timings.fence_after": "3", "set.timings.o2cb_idle": "10000",
        "set.timings.o2cb_keepalive": "2000", "set.timings.o2cb_reconnect": "2000", "set.timings.nfs_lease": "15",
        "set.timings.nfs_grace": "90",
    }  # fmt: skip


def test_the_host_name_answers_which_node_this_is(debconf: Debconf) -> None:
    debconf.program("hostname", "echo nfs2.example.org")
    debconf.script("postinst", "configure", "")
    assert debconf.answers["node"] == "nfs2"


def test_no_answer_is_made_up_for_an_unknown_host(debconf: Debconf) -> None:
    debconf.program("hostname", "echo other")
    debconf.script("postinst", "configure", "")
    assert not {"node", "format", "secret.node", "secret.target"} & set(debconf.answers)


def test_a_wrong_node_is_handed_on_to_be_refused(debconf: Debconf) -> None:
    debconf.preseed("nfsha-node nfsha-node/node select nfs9\n")
    debconf.program("hostname", "echo other")
    debconf.script("postinst", "configure", "")
    assert debconf.answers["node"] == "nfs9"


def test_secrets_and_consent_leave_debconf_when_they_are_in_place(debconf: Debconf) -> None:
    debconf.preseed(preseed.text("nfs1", SITE, CHAP, format_lun=True))
    debconf.program("nfsha", f"cat >/dev/null; touch {debconf.root}/etc/nfsha/secrets")
    debconf.script("postinst", "configure", "")
    assert CHAP.node not in (debconf.folder / "config.dat").read_text()
    assert CHAP.target not in (debconf.folder / "config.dat").read_text()
    assert debconf.value("format") == "false"


def test_a_refusal_is_told_and_leaves_dpkg_with_nothing_open(debconf: Debconf) -> None:
    debconf.preseed(preseed.text("nfs1", SITE, CHAP, format_lun=True))
    done = debconf.script("postinst", "configure", "", NFSHA_EXIT="1")
    assert done.returncode == 0
    assert "dpkg-reconfigure nfsha-node" in done.stderr
    assert debconf.value("secret-node") == "(password omitted)"
    assert "start nfsha-node.target" not in (debconf.folder / "systemd").read_text()


def _refused(debconf: Debconf) -> None:
    """Somebody has asked for another lease on a machine that is set up, and was refused."""
    debconf.file("var/lib/nfsha/site.base.toml", LAB)
    debconf.file("etc/nfsha/site.toml", LAB)
    debconf.script("postinst", "configure", "0.1.0+site1")
    debconf.preconfigure("reconfigure", "0.1.0+site1")
    debconf.preseed("nfsha-node nfsha-node/timings-nfs-lease string 20\n")
    debconf.script("postinst", "configure", "0.1.0+site1", NFSHA_EXIT="1")
    assert debconf.answers["set.timings.nfs_lease"] == "20"


def test_a_refused_answer_is_none_to_an_upgrade(debconf: Debconf) -> None:
    _refused(debconf)
    for _ in range(2):
        debconf.preconfigure("configure", "0.1.0+site1")
        debconf.script("postinst", "configure", "0.1.0+site1")
        assert debconf.answers["set.timings.nfs_lease"] == "15"


def test_a_refused_answer_is_shown_to_who_reconfigures(debconf: Debconf) -> None:
    _refused(debconf)
    for _ in range(2):
        debconf.preconfigure("reconfigure", "0.1.0+site1")
        assert debconf.value("timings-nfs-lease") == "20"
        debconf.script("postinst", "configure", "0.1.0+site1", NFSHA_EXIT="1")
    debconf.file("etc/nfsha/site.toml", edited("revision = 1", "revision = 1\n[timings]\nnfs_lease = 30"))
    debconf.preconfigure("reconfigure", "0.1.0+site1")
    assert debconf.value("timings-nfs-lease") == "30"


def test_nothing_reaches_the_program_but_its_answers(debconf: Debconf) -> None:
    debconf.program("nfsha", f'env >{debconf.folder}/env; ls -l /proc/$$/fd >{debconf.folder}/fds; cat >/dev/null')
    debconf.preseed(preseed.text("nfs1", SITE, CHAP))
    debconf.script("postinst", "configure", "")
    seen = (debconf.folder / "env").read_text()
    assert CHAP.node not in seen
    # By it ucf knows that it must not start a frontend of its own.
    assert "DEBIAN_HAS_FRONTEND=" in seen
    assert " 3 ->" not in (debconf.folder / "fds").read_text()


def test_an_edit_of_the_file_goes_before_what_debconf_remembers(debconf: Debconf) -> None:
    debconf.preconfigure("configure", "")
    debconf.file("var/lib/nfsha/site.base.toml", LAB)
    debconf.file("etc/nfsha/site.toml", edited('interface = "eth1"', "interface = 'enp1s0' # the second port"))
    debconf.script("postinst", "configure", "0.1.0+site1")
    assert debconf.answers["set.network.interface"] == "enp1s0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[network]\nwitnesses = [\n  "192.168.50.1", # router\n  "192.168.50.2",\n]\n', "192.168.50.1, 192.168.50.2"),
        ('[network]\nwitnesses = ["192.168.50.1","192.168.50.2"]\n', "192.168.50.1, 192.168.50.2"),
        ('network.witnesses = ["192.168.50.1"]\n', "192.168.50.1"),
        ('[ network ]\n  witnesses=[ "192.168.50.1" ]\r\n', "192.168.50.1"),
        ('[[node]]\nwitnesses = ["192.168.50.7"]\n[network]\nwitnesses = []\n', ""),
    ],
)
def test_lists_are_read_as_toml_allows_them(debconf: Debconf, text: str, expected: str) -> None:
    debconf.file("etc/nfsha/site.toml", text)
    debconf.script("postinst", "configure", "0.1.0+site1")
    assert debconf.answers["set.network.witnesses"] == expected


@pytest.mark.parametrize(
    ("text", "interface", "witnesses", "lease"),
    [
        ('network = { witnesses = ["192.168.50.1", "192.168.50.2"], interface = "eth3" }', "eth3", "192.168.50.1, 192.168.50.2", "15"),
        ("network = {interface='eth3',witnesses=[]} # ours\ntimings = { nfs_lease = 20 }", "eth3", "", "20"),
        ('network = { witnesses = [\n"192.168.50.1", # router\n], interface = "eth3" }', "eth3", "192.168.50.1", "15"),
        ('timings.nfs_lease = 20\n[network]\ninterface = "eth3"', "eth3", "", "20"),
    ],
)
def test_tables_are_read_as_toml_allows_them(
    debconf: Debconf, text: str, interface: str, witnesses: str, lease: str
) -> None:
    """Else an upgrade would put what it takes for missing into the file, in the place of the admin's edit."""
    debconf.file("var/lib/nfsha/site.base.toml", "")
    debconf.file("etc/nfsha/site.toml", f"{text}\n")
    debconf.script("postinst", "configure", "0.1.0+site1")
    keys = ("network.interface", "network.witnesses", "timings.nfs_lease")
    assert [debconf.answers[f"set.{key}"] for key in keys] == [interface, witnesses, lease]


def test_a_key_that_the_admin_took_out_stays_out(debconf: Debconf) -> None:
    debconf.file("var/lib/nfsha/site.base.toml", edited("router_id = 101", "router_id = 77"))
    debconf.file("etc/nfsha/site.toml", edited("router_id = 101\n", ""))
    debconf.script("postinst", "configure", "0.1.0+site1")
    assert debconf.answers["set.network.router_id"] == str(BY_KEY["network.router_id"].default)


def test_a_purge_from_outside_leaves_the_machine_that_does_it_alone(debconf: Debconf, tmp_path: Path) -> None:
    """As of an image that a node works on (dpkg(1), --root with --force-script-chrootless)."""
    elsewhere = tmp_path / "image"
    inside = Path(f"{elsewhere}{debconf.root}/etc/nfsha")
    inside.mkdir(parents=True)
    (elsewhere / "etc").mkdir()
    shutil.copy(debconf.folder / "debconf.conf", elsewhere / "etc")
    debconf.file("etc/nfsha/secrets", "ours")
    assert debconf.script("postrm", "purge", DPKG_ROOT=str(elsewhere)).returncode == 0
    assert not inside.exists() and (debconf.root / "etc/nfsha/secrets").exists()
    assert "ucf --purge" not in (debconf.folder / "systemd").read_text()


def test_a_value_that_nobody_edited_follows_the_new_package(debconf: Debconf) -> None:
    old = edited('interface = "eth1"', 'interface = "eth7"')
    debconf.preseed("nfsha-node nfsha-node/network-interface string eth7\n")
    debconf.file("var/lib/nfsha/site.base.toml", old)
    debconf.file("etc/nfsha/site.toml", old)
    debconf.script("postinst", "configure", "0.1.0+site1")
    assert debconf.answers["set.network.interface"] == "eth1"


def test_the_second_run_of_config_keeps_the_answers_of_the_first(debconf: Debconf) -> None:
    debconf.file("var/lib/nfsha/site.base.toml", LAB)
    debconf.file("etc/nfsha/site.toml", LAB)
    debconf.preconfigure("configure", "0.1.0+site1")
    debconf.preseed("nfsha-node nfsha-node/timings-nfs-lease string 20\n")
    debconf.script("postinst", "configure", "0.1.0+site1")
    assert debconf.answers["set.timings.nfs_lease"] == "20"


@pytest.mark.parametrize("debconf", ["nfsha-client"], indirect=True)
def test_answers_survive_another_package_that_writes_the_file_in_between(debconf: Debconf) -> None:
    debconf.preseed("nfsha-client nfsha-client/client-mount-point string /srv/shared\n")
    debconf.preconfigure("configure", "")
    debconf.file("etc/nfsha/site.toml", LAB)
    debconf.script("postinst", "configure", "")
    assert debconf.answers == {
        "set.network.virtual_address": "192.168.50.10/24", "set.client.mount_point": "/srv/shared",
    }  # fmt: skip


@pytest.mark.parametrize("debconf", ["nfsha-iscsi-target"], indirect=True)
def test_the_target_asks_for_the_secrets_alone(debconf: Debconf) -> None:
    debconf.preseed(preseed.text("target", SITE, CHAP))
    debconf.script("postinst", "configure", "")
    assert debconf.answers == {"secret.node": CHAP.node, "secret.target": CHAP.target}


def test_an_upgrade_takes_no_consent_back_and_gives_none(debconf: Debconf) -> None:
    debconf.file("etc/nfsha/host.toml", 'node = "nfs1"\nconsent_to_format = "/dev/disk/by-path/x"\n')
    debconf.script("postinst", "configure", "0.1.0+site1")
    assert "format" not in debconf.answers


def test_the_question_names_the_device_as_answered(debconf: Debconf) -> None:
    debconf.preseed("nfsha-node nfsha-node/storage-portal string 10.9.8.7:3260\n")
    debconf.preconfigure("configure", "")
    variables = (debconf.folder / "config.dat").read_text()
    assert "/dev/disk/by-path/ip-10.9.8.7:3260-iscsi-iqn.2018-08.es.raulpedroche:lun1-lun-1" in variables


def test_the_scripts_take_every_argument_dpkg_gives_and_run_twice(debconf: Debconf) -> None:
    calls = (
        ("postinst", "configure", ""), ("postinst", "configure", "0.1"), ("postinst", "abort-upgrade", "0.1"),
        ("postinst", "abort-remove"), ("postinst", "abort-remove", "in-favour", "x", "1"),
        ("postinst", "abort-deconfigure", "in-favour", "x", "1"),
        ("prerm", "upgrade", "0.1"), ("prerm", "remove"), ("prerm", "remove", "in-favour", "x", "1"),
        ("prerm", "failed-upgrade", "0.1"), ("prerm", "deconfigure", "in-favour", "x", "1"),
        ("postrm", "remove"), ("postrm", "upgrade", "0.1"), ("postrm", "failed-upgrade", "0.1"),
        ("postrm", "abort-install"), ("postrm", "abort-upgrade", "0.1"), ("postrm", "disappear", "x", "1"),
        ("postrm", "purge"),
    )  # fmt: skip
    for script, *arguments in calls:
        for _ in range(2):
            done = debconf.script(script, *arguments)
            assert done.returncode == 0, (script, arguments, done.stderr)
    assert debconf.script("postinst", "unheard-of").returncode == 1


def test_only_removal_takes_the_configuration_away(debconf: Debconf) -> None:
    debconf.script("prerm", "upgrade", "0.2")
    assert not (debconf.folder / "called").exists()
    debconf.script("prerm", "remove")
    assert (debconf.folder / "called").read_text().strip() == "deconfigure nfsha-node"


@pytest.mark.parametrize(
    ("other", "stays"), [("installed", True), ("config-files", True), ("not-installed", False), ("", False)]
)
def test_the_last_package_purged_takes_the_shared_folder_away(debconf: Debconf, other: str, stays: bool) -> None:
    debconf.program("dpkg-query", f'case "$*" in *nfsha-client*) printf "{other}" ;; *) exit 1 ;; esac')
    debconf.file("etc/nfsha/site.toml", LAB)
    done = debconf.script("postrm", "purge")
    assert done.returncode == 0, done.stderr
    assert (debconf.root / "etc/nfsha").exists() is stays
    assert (debconf.root / "var/lib/nfsha").exists() is stays


@pytest.mark.parametrize(("owned", "other", "stays"), [(False, "", False), (True, "", True), (False, "admins", True)])
def test_purge_takes_the_folder_of_exports_that_nobody_else_uses(
    debconf: Debconf, owned: bool, other: str, stays: bool
) -> None:
    debconf.program("dpkg-query", f'case "$*" in "--search "*) exit {0 if owned else 1} ;; *) exit 1 ;; esac')
    (debconf.root / "etc/exports.d").mkdir()
    if other:
        debconf.file(f"etc/exports.d/{other}.exports", "")
    done = debconf.script("postrm", "purge")
    assert done.returncode == 0, done.stderr
    assert (debconf.root / "etc/exports.d").exists() is stays


def test_nothing_of_the_package_is_left_in_debconf_after_purge(debconf: Debconf) -> None:
    debconf.preseed(preseed.text("nfs1", SITE, CHAP))
    debconf.script("postinst", "configure", "")
    debconf.script("postrm", "purge")
    assert "nfsha-node/" not in (debconf.folder / "config.dat").read_text()
