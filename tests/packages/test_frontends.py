"""The questions by each frontend, in a real terminal; dpkg, debconf and nfsha are the real ones."""

from __future__ import annotations

import gettext
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from nfsha_config import paths
from nfsha_config.build import preseed
from nfsha_config.build.question import questions, settings_asked
from nfsha_config.render import PACKAGES
from nfsha_config.site import load
from nfsha_config.site.secrets import Secrets
from nfsha_config.site.settings import BY_KEY
from tests.packages.conftest import Built
from tests.packages.machine import INSTALL, Machine
from tests.packages.terminal import BACK, FRONTENDS, NEXT, YES, Keys, Person, terminal

pytestmark = [pytest.mark.slow, pytest.mark.long]
SITE = load.load_file(load.LAB)
LAB = load.LAB.read_text(encoding="utf-8")
CHAP = Secrets("node-secret-0123456789", "target-secret-0123456789")
TARGET, NODE, CLIENT = PACKAGES
PROMPTS = {question.name.partition("/")[2]: question.short for question in questions(NODE, SITE)}
INTERFACE, ROUTER, GRACE = (PROMPTS[BY_KEY[key].question] for key in (
    "network.interface", "network.router_id", "timings.nfs_grace"
))  # fmt: skip
SECRETS = {PROMPTS["secret-node"]: [CHAP.node], PROMPTS["secret-target"]: [CHAP.target]}
KEPT = ("/etc/nfsha", "/var/lib/nfsha", "/etc/keepalived", "/etc/ocfs2", "/etc/exports.d", "/etc/nfs.conf.d", "/etc/default")


@pytest.fixture
def machine(built: Built, tmp_path: Path) -> Iterator[Machine]:
    """nfs1, with the tool."""
    with Machine(tmp_path / "machine") as one:
        one.install(built.debs["python3-nfsha-config"])
        yield one


@dataclass(frozen=True)
class Desk:
    """Where a person sits before a machine, with one frontend."""

    machine: Machine
    keys: Keys
    folder: Path

    def ask(
        self, argv: Sequence[str | Path], answers: Mapping[str, Sequence[str | None]], *,
        known: Sequence[str] = tuple(PROMPTS.values()), priority: str = "low", **env: str,
    ) -> Person:  # fmt: skip
        """Run a program that asks, to its end."""
        person = Person(self.keys, known, answers)
        given = {**self.keys.env, "DEBIAN_PRIORITY": priority, "TERM": "screen", **env}
        with terminal(self.machine.command(*argv, **given)) as one:
            person.answer(one)
        return person

    def install(self, deb: Path, answers: Mapping[str, Sequence[str | None]], **how: str) -> Person:
        """As apt does."""
        return self.ask(["sh", "-c", INSTALL, "sh", deb], answers, **how)  # type: ignore[arg-type]

    def reconfigure(self, answers: Mapping[str, Sequence[str | None]], **how: str) -> Person:
        """dpkg-reconfigure nfsha-node."""
        return self.ask(["dpkg-reconfigure", NODE], answers, **how)  # type: ignore[arg-type]


@pytest.fixture(params=FRONTENDS)
def desk(request: pytest.FixtureRequest, machine: Machine, tmp_path: Path) -> Desk:
    """A desk with each frontend in turn."""
    return Desk(machine, FRONTENDS[request.param], tmp_path)


def site(machine: Machine) -> dict[str, dict[str, object]]:
    return tomllib.loads(machine.read("/etc/nfsha/site.toml"))


def prompts(*names: str) -> list[str]:
    return [PROMPTS[name] for name in names]


ASKED = tuple(setting.question for setting in settings_asked(NODE))


def assert_secrets_are_in_place_alone(machine: Machine) -> None:
    assert tomllib.loads(machine.read("/etc/nfsha/secrets")) == {"node": CHAP.node, "target": CHAP.target}
    assert machine.run("stat", "--format=%a %U", "/etc/nfsha/secrets") == "600 root\n"
    for secret in (CHAP.node, CHAP.target):
        places = ("/etc", "/run", "/var/cache/debconf", "/var/lib/nfsha", "/var/lib/ucf", "/var/lib/dpkg", "/var/log")
        assert machine.holding(secret, *places) == ["/etc/nfsha/secrets"]


def test_a_person_installs_edits_and_reconfigures(desk: Desk, built: Built, second: Path) -> None:
    machine = desk.machine
    seen = desk.install(built.debs[NODE], {
        **SECRETS, INTERFACE: ["eth7"], PROMPTS["network-fail-back"]: [NEXT], PROMPTS["format"]: [YES],
    }).seen  # fmt: skip
    assert seen == prompts("node", "secret-node", "secret-target", *ASKED, "format")
    assert site(machine)["network"]["interface"] == "eth7"
    assert site(machine)["network"]["fail_back"] == "automatic"
    assert "interface eth7" in machine.read("/etc/keepalived/keepalived.conf")
    assert f'consent_to_format = "{SITE.lun_path}"' in machine.read("/etc/nfsha/host.toml")
    assert_secrets_are_in_place_alone(machine)

    machine.run("sed", "-i", 's/^interface = "eth7"/interface = "enp9s0" # ours/', "/etc/nfsha/site.toml")
    edited = machine.read("/etc/nfsha/site.toml")
    person = desk.reconfigure({})
    assert person.seen == prompts("node", *ASKED, "format")
    assert "enp9s0" in person.screens[INTERFACE]
    assert machine.read("/etc/nfsha/site.toml") == edited
    assert "interface enp9s0" in machine.read("/etc/keepalived/keepalived.conf")

    files, asked = machine.files(*KEPT), machine.asked(NODE)
    assert desk.reconfigure({}).seen == person.seen
    assert machine.files(*KEPT) == files
    assert machine.asked(NODE) == asked

    assert desk.install(second, {}).seen == []
    after = site(machine)
    assert (after["cluster"]["revision"], after["timings"]["nfs_lease"]) == (2, 25)
    assert after["network"]["interface"] == "enp9s0"
    assert "# ours" in machine.read("/etc/nfsha/site.toml")
    assert_secrets_are_in_place_alone(machine)
    assert desk.reconfigure({}).screens[INTERFACE].count("enp9s0") == 1


def test_a_person_goes_back(desk: Desk, built: Built) -> None:
    machine, consent = desk.machine, PROMPTS["format"]
    seen = desk.install(built.debs[NODE], {
        **SECRETS, INTERFACE: ["eth7", "eth8"], ROUTER: [BACK, None], GRACE: [None, "91"], consent: [BACK, None],
    }).seen  # fmt: skip
    at = seen.index(ROUTER)
    assert seen[at - 1 : at + 3] == [INTERFACE, ROUTER, INTERFACE, ROUTER]
    assert seen[-4:] == [GRACE, consent, GRACE, consent]
    assert site(machine)["network"]["interface"] == "eth8"
    assert site(machine)["timings"]["nfs_grace"] == 91
    assert 'consent_to_format = ""' in machine.read("/etc/nfsha/host.toml")
    assert_secrets_are_in_place_alone(machine)

    files, asked = machine.files(*KEPT), machine.asked(NODE)
    assert desk.reconfigure({PROMPTS["node"]: [BACK]}).seen == prompts("node")
    assert machine.files(*KEPT) == files
    assert machine.asked(NODE) == asked


@pytest.fixture
def at_whiptail(machine: Machine, tmp_path: Path) -> Desk:
    """A desk with Debian's own default."""
    return Desk(machine, FRONTENDS["whiptail"], tmp_path)


def test_debians_default_asks_for_secrets_and_consent_alone(at_whiptail: Desk, built: Built) -> None:
    seen = at_whiptail.install(built.debs[NODE], SECRETS, priority="high").seen
    assert seen == prompts("secret-node", "secret-target", "format")
    assert_secrets_are_in_place_alone(at_whiptail.machine)


def test_who_preseeds_is_asked_nothing(at_whiptail: Desk, built: Built) -> None:
    machine = at_whiptail.machine
    machine.run("debconf-set-selections", stdin=preseed.text("nfs1", SITE, CHAP, format_lun=True))
    assert at_whiptail.install(built.debs[NODE], {}, priority="high").seen == []
    assert f'consent_to_format = "{SITE.lun_path}"' in machine.read("/etc/nfsha/host.toml")
    assert machine.read("/etc/nfsha/site.toml") == LAB
    assert_secrets_are_in_place_alone(machine)


def test_a_consent_is_the_default_of_its_question_until_it_is_used(at_whiptail: Desk, built: Built) -> None:
    machine = at_whiptail.machine
    machine.run("debconf-set-selections", stdin=preseed.text("nfs1", SITE, CHAP, format_lun=True))
    machine.install(built.debs[NODE])
    files = machine.files(*KEPT)
    assert at_whiptail.reconfigure({}).seen[-1] == PROMPTS["format"]
    assert machine.files(*KEPT) == files
    # It is for one device, and another one is asked for anew.
    at_whiptail.reconfigure({PROMPTS["storage-portal"]: ["192.168.50.21:3260"]})
    assert 'consent_to_format = ""' in machine.read("/etc/nfsha/host.toml")


def test_noninteractive(machine: Machine, built: Built, second: Path) -> None:
    said = machine.install(built.debs[NODE])
    assert "is installed, but not set up" in said and "dpkg-reconfigure nfsha-node" in said
    assert machine.read("/etc/nfsha/site.toml") == ""
    machine.run("debconf-set-selections", stdin=preseed.text("nfs1", SITE, CHAP))
    machine.run("dpkg-reconfigure", NODE)
    assert machine.read("/etc/nfsha/site.toml") == LAB
    assert_secrets_are_in_place_alone(machine)

    machine.run("sed", "-i", 's/^router_id = 101/router_id = 77/', "/etc/nfsha/site.toml")
    machine.run("dpkg-reconfigure", NODE)
    assert site(machine)["network"]["router_id"] == 77
    assert "virtual_router_id 77" in machine.read("/etc/keepalived/keepalived.conf")
    files, asked = machine.files(*KEPT), machine.asked(NODE)
    assert "Value: 77" in asked
    machine.run("dpkg-reconfigure", NODE)
    assert machine.files(*KEPT) == files
    assert machine.asked(NODE) == asked
    machine.install(second)
    assert (site(machine)["network"]["router_id"], site(machine)["cluster"]["revision"]) == (77, 2)


def test_a_refused_answer_is_told_and_can_be_mended(at_whiptail: Desk, built: Built) -> None:
    machine = at_whiptail.machine
    short = {PROMPTS["secret-node"]: ["short"], PROMPTS["secret-target"]: [CHAP.target]}
    at_whiptail.install(built.debs[NODE], short, priority="high")
    assert machine.read("/etc/nfsha/secrets") == ""
    assert at_whiptail.reconfigure(SECRETS).seen[:3] == prompts("node", "secret-node", "secret-target")
    assert_secrets_are_in_place_alone(machine)


def test_target_and_client_on_one_machine(at_whiptail: Desk, built: Built) -> None:
    machine, point = at_whiptail.machine, PROMPTS["client-mount-point"]
    assert at_whiptail.install(built.debs[TARGET], SECRETS).seen == prompts("secret-node", "secret-target")
    seen = at_whiptail.install(built.debs[CLIENT], {point: ["/srv/shared"]}).seen
    assert seen == prompts("network-virtual-address", "client-mount-point")
    assert_secrets_are_in_place_alone(machine)
    assert site(machine)["client"]["mount_point"] == "/srv/shared"
    assert "Where=/srv/shared" in machine.read("/etc/systemd/system/srv-shared.mount")
    files = machine.files("/etc/nfsha", "/etc/systemd/system")
    for package in (TARGET, CLIENT, TARGET, CLIENT):
        person = at_whiptail.ask(["dpkg-reconfigure", package], {})
        assert "/srv/shared" in person.screens.get(point, "/srv/shared")
        assert machine.files("/etc/nfsha", "/etc/systemd/system") == files


LOCALES = {
    # Debian's installer leaves a locale; without one, a person can still say the language. Its character set is only
    # needed where debconf-i18n is not installed.
    "de": {"LANG": "de_DE.UTF-8"},
    "es": {"LANG": "C.UTF-8", "LANGUAGE": "es.UTF-8"},
}


@pytest.mark.parametrize("language", LOCALES)
def test_questions_in_the_persons_language(language: str, at_whiptail: Desk, built: Built) -> None:
    machine = at_whiptail.machine
    machine.run("localedef", "-i", "de_DE", "-f", "UTF-8", "de_DE.UTF-8")
    po = paths.templates() / "common" / "debian" / "po" / f"{language}.po"
    compiled = at_whiptail.folder / "catalogue.mo"
    subprocess.run(["msgfmt", "--output-file", compiled, po], check=True)
    with compiled.open("rb") as file:
        translated = gettext.GNUTranslations(file).gettext
    known = {english: translated(english) for english in PROMPTS.values()}
    assert all(english != said for english, said in known.items())
    answers = {known[prompt]: given for prompt, given in {**SECRETS, PROMPTS["network-fail-back"]: [NEXT]}.items()}
    person = at_whiptail.install(built.debs[NODE], answers, known=tuple(known.values()), **LOCALES[language])
    assert person.seen == [known[prompt] for prompt in prompts("node", "secret-node", "secret-target", *ASKED, "format")]
    assert translated("automatic") in person.screens[known[PROMPTS["network-fail-back"]]]
    # The file holds the word of the file.
    assert site(machine)["network"]["fail_back"] == "automatic"
    assert_secrets_are_in_place_alone(machine)
