"""A node's files on a whole machine, with the real ucf: there and back."""

from __future__ import annotations

import pytest

from tests.golden.sites import rendered
from tests.unit.render.machine import on_machine

PREPARE = """
hostname nfs1
mkdir -p /usr/share/nfsha-node
cat >/run/story.py <<'END'
import hashlib, logging, os, re, subprocess, sys
from pathlib import Path
from nfsha_config.host import configure
from nfsha_config.paths import Paths
from nfsha_config.site import load

logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stdout)
LAB = load.LAB.read_text()
SITE = Path("/usr/share/nfsha-node/site.toml")
KEEPALIVED, CLUSTER = Path("/etc/keepalived/keepalived.conf"), Path("/etc/ocfs2/cluster.conf")
SECRETS = {"secret.node": "the-nodes-own-secret", "secret.target": "the-targets-own-secret"}
SITE.write_text(LAB)

def run(**answers):
    return configure.configure("nfsha-node", {**SECRETS, **answers}, Paths())

def tree():
    found = [path for top in ("/etc", "/usr/lib/systemd", "/usr/share/nfsha-node") for path in Path(top).rglob("*")]
    return {
        str(path): (path.lstat().st_mode, hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in found if not str(path).startswith(("/etc/nfsha", "/var/lib/nfsha", "/var/lib/ucf"))
    }

def difference(before):
    after = tree()
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))

END
"""


def story(steps: str) -> list[str]:
    """What the steps print as node nfs1, with the package unpacked."""
    files = [file for file in rendered("lab", "nfs1") if file.path.startswith("/usr/")]
    script = f"{PREPARE}\ncat >>/run/story.py <<'END'\n{steps}\nEND\n/usr/bin/python3 /run/story.py"
    return on_machine(files, script).splitlines()


def test_there_and_back() -> None:
    files = [file.path for file in rendered("lab", "nfs1") if not file.path.startswith(("/usr/", "/run/"))]
    shown = story("""
before = tree()
print(*run(), sep="\\n")
print("again", run())
for path in difference(before): print("now", path)
configure.deconfigure("nfsha-node", Paths())
print("left", difference(before), sorted(os.listdir("/etc/nfsha")))
run()
print("removed and installed again", KEEPALIVED.exists(), CLUSTER.exists())
""")
    told = [line for line in shown if not line.startswith("now ")]
    assert told == [
        "/etc/nfsha/site.toml", "/etc/nfsha/secrets", "/etc/nfsha/host.toml", *files, "/etc/default/o2cb: keys set",
        "again []", "left [] ['host.toml', 'secrets', 'site.toml']",
        # ucf remembers the files, and by itself would take their absence for the admin's wish.
        "removed and installed again True True",
    ]  # fmt: skip
    elsewhere = {path for path in files if not path.startswith("/etc/nfsha/")}
    assert {line.removeprefix("now ") for line in shown if line.startswith("now ")} >= {*elsewhere, "/etc/default/o2cb"}


def test_a_new_revision_reaches_files_that_nobody_edited_and_takes_old_ones_away() -> None:
    shown = story("""
run()
SITE.write_text(LAB.replace("revision = 1", "revision = 2").replace("router_id = 101", "router_id = 55"))
print(run())
print("virtual_router_id 55" in KEEPALIVED.read_text(), sorted(os.listdir("/etc/keepalived")))
Path("/var/lib/ucf/hashfile").write_text("")
run(**{"set.storage.portal": "192.168.50.21:3260", "set.network.router_id": "56"})
print("virtual_router_id 56" in KEEPALIVED.read_text())
print(*sorted(name[-14:] for name in os.listdir("/etc/systemd/system") if "device" in name and "iscsi" in name))
print(*{re.search("192[.0-9:]+", name)[0] for name in os.listdir("/etc/systemd/system") if "device" in name and "iscsi" in name})
""")
    assert shown == [
        "['/etc/nfsha/site.toml', '/etc/keepalived/keepalived.conf']",
        "True ['keepalived.conf', 'keepalived.conf.sample']",
        "True",
        "part1.device.d part2.device.d",
        "192.168.50.21:3260",
    ]


# A new revision comes, and the configuration ends badly at a program.
FAILS = """
from nfsha_config.host import install
from nfsha_config.problems import CommandFailed
before, good = tree(), install.run
def fails(program, how):
    def run_or_fail(argv, **keywords):
        if argv[0] == program: raise how
        return good(argv, **keywords)
    install.run = run_or_fail
    try: run()
    except (CommandFailed, SystemExit) as error: print(repr(error))
    install.run = good
def revise(router_id):
    SITE.write_text(LAB.replace("router_id = 101", f"router_id = {router_id}"))
def comes(router_id):
    print(run(), f"virtual_router_id {router_id}" in KEEPALIVED.read_text())
"""
NEW = "['/etc/nfsha/site.toml', '/etc/keepalived/keepalived.conf'] True"


def test_what_ucf_did_not_take_is_no_edit_of_the_admins() -> None:
    """As when another program has debconf's database, or in a death in the middle."""
    shown = story(f"""{FAILS}
run()
revise(55)
fails("ucf", CommandFailed("the database is locked"))
comes(55)
print(run())
""")
    assert shown == ["CommandFailed('the database is locked')", "['/etc/keepalived/keepalived.conf'] True", "[]"]


@pytest.mark.parametrize("between", ["", "run()"])
def test_what_ucf_took_before_a_death_is_no_edit_of_the_admins(between: str) -> None:
    """Neither to the next revision, nor to the one after a repetition."""
    shown = story(f"""{FAILS}
run()
revise(55)
fails("ucfr", SystemExit())
{between}
revise(56)
comes(56)
""")
    assert shown == ["SystemExit()", NEW]


def test_what_a_death_left_undone_after_ucf_is_done_by_the_next() -> None:
    """ucf is told whose the file is, and nothing that was staged stays."""
    shown = story(f"""{FAILS}
fails("ucfr", SystemExit())
run()
print(list(Path("/var/lib/nfsha").rglob("*.new")))
print([line.split() for line in Path("/var/lib/ucf/registry").read_text().splitlines() if str(KEEPALIVED) in line])
""")
    assert shown == ["SystemExit()", "[]", "[['nfsha-node', '/etc/keepalived/keepalived.conf']]"]


def test_what_a_failed_configuration_wrote_goes_with_the_package() -> None:
    shown = story(f"""{FAILS}
fails("ucf", CommandFailed("broken"))
print(Path("/etc/exports.d/nfsha.exports").exists())
configure.deconfigure("nfsha-node", Paths())
print(difference(before))
""")
    assert shown == ["CommandFailed('broken')", "True", "[]"]


def test_an_edit_of_keepalived_conf_stays_and_is_told() -> None:
    shown = story("""
run()
KEEPALIVED.write_text(KEEPALIVED.read_text() + "# mine\\n")
SITE.write_text(LAB.replace("router_id = 101", "router_id = 55"))
print(run())
print("virtual_router_id 101" in KEEPALIVED.read_text(), KEEPALIVED.read_text().endswith("# mine\\n"))
print("virtual_router_id 55" in Path(f"{KEEPALIVED}.ucf-dist").read_text())
print(run())
configure.deconfigure("nfsha-node", Paths())
print(KEEPALIVED.exists(), Path("/etc/nfsha/etc_keepalived_keepalived.conf.edited").read_text().endswith("# mine\\n"))
""")
    warning = (
        "WARNING /etc/keepalived/keepalived.conf was edited by hand and stays; "
        "nfsha's own text is in /etc/keepalived/keepalived.conf.ucf-dist"
    )
    assert shown == [
        warning, "['/etc/nfsha/site.toml']", "True True", "True", warning, "[]",
        "WARNING /etc/keepalived/keepalived.conf was edited by hand; "
        "it is now /etc/nfsha/etc_keepalived_keepalived.conf.edited",
        "False True",
    ]  # fmt: skip


def test_a_file_that_was_there_before_stays_whole() -> None:
    shown = story("""
KEEPALIVED.write_text("# the admin's own\\n")
before = tree()
print("/etc/keepalived/keepalived.conf" in run())
configure.deconfigure("nfsha-node", Paths())
print(KEEPALIVED.read_text(), difference(before))
""")
    assert shown == [
        "WARNING /etc/keepalived/keepalived.conf was edited by hand and stays; "
        "nfsha's own text is in /etc/keepalived/keepalived.conf.ucf-dist",
        "False",
        "WARNING /etc/keepalived/keepalived.conf is not nfsha's, and stays",
        "# the admin's own",
        " []",
    ]


def test_plan_of_a_node_names_the_keys_of_o2cb() -> None:
    shown = story("""
run()
print(configure.plan("nfsha-node", Paths()))
Path("/etc/default/o2cb").write_text("O2CB_ENABLED=false\\n")
print(configure.plan("nfsha-node", Paths()))
""")
    assert shown == ["[]", "['/etc/default/o2cb']"]
