"""Questions, templates and preseeds come from the settings table and the site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nfsha_config.build import preseed, templates
from nfsha_config.build.question import Question, questions, settings_asked
from nfsha_config.problems import NfshaError, Refused
from nfsha_config.render import PACKAGES
from nfsha_config.site import kinds, load
from nfsha_config.site.secrets import Secrets
from nfsha_config.site.settings import SETTINGS

TARGET, NODE, CLIENT = PACKAGES
SITE = load.load_file(load.LAB)
CHAP = Secrets("node-secret-0123456789", "target-secret-0123456789")


def names(package: str) -> list[str]:
    return [question.name.partition("/")[2] for question in questions(package, SITE)]


def test_each_package_asks_what_it_needs() -> None:
    asked = [setting.question for setting in SETTINGS if setting.asked]
    assert names(NODE) == ["node", "secret-node", "secret-target", *asked, "format"]
    assert names(CLIENT) == ["network-virtual-address", "client-mount-point"]
    assert names(TARGET) == ["secret-node", "secret-target"]


def test_every_default_is_the_sites_own_value_and_reads_back() -> None:
    for package in PACKAGES:
        defaults = {question.key: question.default for question in questions(package, SITE) if question.key}
        for setting in settings_asked(package):
            value = getattr(getattr(SITE, setting.table), setting.name)
            assert setting.kind.parse(setting.kind.of_text(defaults[setting.key])) == value


@pytest.mark.parametrize(
    ("value", "expected"), [(("a", "b"), "a, b"), ((), ""), (1.0, "1"), (0.25, "0.25"), (90, "90"), ("eth1", "eth1")]
)
def test_values_as_answers(value: object, expected: str) -> None:
    assert kinds.text_of(value) == expected


def test_high_priority_is_for_questions_without_a_sensible_default() -> None:
    asked = [question for package in PACKAGES for question in questions(package, SITE)]
    assert {question.name for question in asked if question.priority == "high"} == {
        f"{NODE}/node", f"{NODE}/secret-node", f"{NODE}/secret-target", f"{NODE}/format",
        f"{TARGET}/secret-node", f"{TARGET}/secret-target",
    }  # fmt: skip


def test_a_template_as_debconf_reads_it() -> None:
    text = templates.text(NODE, questions(NODE, SITE))
    assert (
        "Template: nfsha-node/network-fail-back\n"
        "Type: select\n"
        "__Choices: manual, automatic\n"
        "Default: manual\n"
        "_Description: Return of the service to the first node:\n"
        " The first node can serve again by itself when it has returned, or wait for a\n"
        " switchover.\n"
        " .\n"
        " Going back is a second interruption, so the default is to wait\n"
        " (keepalived.conf(5), nopreempt).\n"
        "\n"
    ) in text
    assert (
        "Template: nfsha-node/format\nType: boolean\nDefault: false\n"
        "_Description: Partition and format the shared LUN?\n"
        " The device is ${device}.\n"
    ) in text
    assert "Template: nfsha-node/node\nType: select\nChoices: nfs1, nfs2\n" in text


@pytest.mark.parametrize("question", questions(NODE, SITE), ids=lambda question: question.name)
def test_the_style_of_questions(question: Question) -> None:
    """debconf-devel(7); Developer's Reference, 6.5.2 to 6.5.4."""
    assert len(question.short) <= 65
    assert question.short.endswith("?" if question.kind == "boolean" else ":")
    assert question.long, "says nothing beyond its prompt"
    assert sum(len(paragraph) // 78 + 2 for paragraph in question.long) <= 20
    for text in (question.short, *question.long):
        assert text[0].isupper() or text[0].isdigit() or text.startswith("iSCSI")
        assert not re.search(r"\b(you|yours?|please|I|my|we|our|us|yes|true)\b", text, re.IGNORECASE), text
    for paragraph in question.long:
        assert paragraph.endswith(".")
        assert question.short.rstrip(":?").casefold() not in paragraph.casefold()


def test_the_node_asks_all_that_the_other_packages_ask() -> None:
    """Its catalogue of translations is that of all."""
    asked = {text for question in questions(NODE, SITE) for text in (question.short, *question.long)}
    for package in (TARGET, CLIENT):
        assert {text for question in questions(package, SITE) for text in (question.short, *question.long)} <= asked


def test_a_preseed_holds_the_answers_that_a_site_can_not() -> None:
    text = preseed.text("nfs2", SITE, CHAP)
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "nfsha-node nfsha-node/node select nfs2",
        f"nfsha-node nfsha-node/secret-node password {CHAP.node}",
        f"nfsha-node nfsha-node/secret-target password {CHAP.target}",
    ]


def test_a_preseed_of_the_client_has_no_secrets() -> None:
    assert not [line for line in preseed.text("client", SITE, CHAP).splitlines() if not line.startswith("#")]


def test_consent_to_format_is_for_the_first_node_alone() -> None:
    assert "nfsha-node nfsha-node/format boolean true\n" in preseed.text("nfs1", SITE, CHAP, format_lun=True)
    for host in ("nfs2", "target", "client"):
        with pytest.raises(Refused) as caught:
            preseed.text(host, SITE, CHAP, format_lun=True)
        assert str(caught.value) == (
            f"{host}: does not format the LUN, so it takes no consent (give it for nfs1, the first node)"
        )


def test_a_preseed_for_an_unknown_host_is_refused() -> None:
    with pytest.raises(NfshaError, match="nfs9: is not a host"):
        preseed.text("nfs9", SITE, CHAP)


def test_a_preseed_file_is_its_owners_alone(tmp_path: Path) -> None:
    place = tmp_path / "nfs1.preseed"
    place.write_text("an earlier one")
    place.chmod(0o644)
    preseed.write(place, "text\n")
    assert (place.read_text(), place.stat().st_mode & 0o777) == ("text\n", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["nfs1.preseed"]
