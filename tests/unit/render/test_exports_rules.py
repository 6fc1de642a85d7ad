"""nfsha refuses the export options and clients that exportfs refuses, and takes those that it takes."""

from __future__ import annotations

import pytest

from nfsha_config import render
from nfsha_config.problems import InputError
from nfsha_config.site import load

from .machine import on_machine

TAKEN = """
rw|ro|rw,sync|rw,wdelay|rw,no_wdelay|ro,insecure|ro,secure|rw,crossmnt|rw,hide|rw,nohide|rw,acl|rw,no_acl
rw,root_squash|rw,no_root_squash|rw,all_squash|rw,no_all_squash|rw,pnfs|rw,no_pnfs|rw,security_label
rw,auth_nlm|rw,no_auth_nlm|rw,secure_locks|rw,insecure_locks|rw,nordirplus|rw,nocrossmnt
rw,anonuid=65534,anongid=100|rw,anonuid=-2|rw,anonuid=4294967295|ro,sec=sys|rw,sec=krb5p:krb5i:krb5|rw,sec=none
"""
REFUSED = """
rw,bogus|rw,SYNC|rw,sync=1|rw=1|rw,no_sync|none|rw,anonuid|rw,anonuid=|rw,anonuid=abc|rw,anongid=1.5
rw,sec=|rw,sec=foo|rw,sec=sys:|rw,sec=:sys|rw,sec=sys;krb5|rw,no_hide|rw,subtree_chek|rw,(ro)|rw,a"b
"""
CLIENTS_TAKEN = "10.0.0.0/24 10.0.0.0/255.255.255.0 10.0.0.1 2001:db8::/32 ::1 * *.example.net @group h[ab]? localhost"
CLIENTS_REFUSED = "10.0.0.0/33 10.0.0.300 2001:db8::/129 host/24 -x .x client. 2001:db8::zz"


def _listed(text: str) -> list[str]:
    return [options for line in text.split() for options in line.split("|")]


def _site_takes(key: str, values: str) -> bool:
    lines = {"options": 'options = ["rw", "sync", "no_subtree_check"]', "clients": 'clients = ["client"]'}
    text = load.LAB.read_text(encoding="utf-8")
    assert lines[key] in text
    listed = ", ".join("'" + value + "'" for value in values.split(","))
    try:
        load.load(text.replace(lines[key], f"{key} = [{listed}]"), "test")
    except InputError:
        return False
    return True


def _rendered(options: str) -> str:
    """The lines of a site with these options, as TOML has them."""
    text = load.LAB.read_text(encoding="utf-8").replace('options = ["rw", "sync", "no_subtree_check"]', f"options = {options}")
    files = render.configured(render.NODE, load.load(text, "test"), load.load(text, "test").nodes[0])
    return next(file.text for file in files if file.path == "/etc/exports.d/nfsha.exports")


@pytest.mark.parametrize("options", ["[]", '["rw"]', '["insecure", "sec=krb5p:krb5", "insecure_locks"]'])
def test_exportfs_takes_what_is_rendered(options: str) -> None:
    script = f"""
ip link set lo up; mkdir -p /srv/nfs4/data; echo 192.0.2.1 client >>/etc/hosts
cat >/etc/exports.d/nfsha.exports <<'END'
{_rendered(options)}
END
: >/var/lib/nfs/etab; exportfs -ar >/dev/null 2>&1; cut -f 1 /var/lib/nfs/etab | sort | uniq -c
"""
    assert on_machine([], script).split() == ["2", "/srv/nfs4", "1", "/srv/nfs4/data"]


def test_the_way_to_an_export_lets_in_whom_it_lets_in() -> None:
    root = next(line for line in _rendered('["rw", "insecure", "sec=krb5p", "insecure_locks"]').splitlines() if line.startswith("\"/srv/nfs4\""))
    assert root.endswith(" client(ro,sync,no_subtree_check,fsid=0,insecure,sec=krb5p)")


@pytest.fixture(scope="module")
def exportfs() -> dict[str, bool]:
    """Which "client(options)" exportfs puts into its table, one file for each."""
    options = [f"10.0.0.1({words},no_subtree_check)" for words in _listed(TAKEN) + _listed(REFUSED)]
    clients = [f"{client}(rw,no_subtree_check)" for client in (CLIENTS_TAKEN + " " + CLIENTS_REFUSED).split()]
    script = "ip link set lo up; mkdir -p /srv/nfs4/data; set +e\n"
    for spec in options + clients:
        script += (
            f"printf '\"/srv/nfs4/data\" %s\\n' '{spec}' >/etc/exports.d/nfsha.exports\n"
            ": >/var/lib/nfs/etab; exportfs -ar >/dev/null 2>&1; wc -l </var/lib/nfs/etab\n"
        )
    counts = on_machine([], script + ":\n").split()
    return dict(zip(options + clients, [count == "1" for count in counts], strict=True))


@pytest.mark.parametrize("words", _listed(TAKEN))
def test_options_taken(words: str, exportfs: dict[str, bool]) -> None:
    assert exportfs[f"10.0.0.1({words},no_subtree_check)"]
    assert _site_takes("options", words)


@pytest.mark.parametrize("words", _listed(REFUSED))
def test_options_refused(words: str, exportfs: dict[str, bool]) -> None:
    assert not exportfs[f"10.0.0.1({words},no_subtree_check)"]
    assert not _site_takes("options", words)


@pytest.mark.parametrize("client", CLIENTS_TAKEN.split())
def test_clients_taken(client: str, exportfs: dict[str, bool]) -> None:
    assert exportfs[f"{client}(rw,no_subtree_check)"]
    assert _site_takes("clients", client)


@pytest.mark.parametrize("client", CLIENTS_REFUSED.split())
def test_clients_refused(client: str, exportfs: dict[str, bool]) -> None:
    assert not exportfs[f"{client}(rw,no_subtree_check)"]
    assert not _site_takes("clients", client)
