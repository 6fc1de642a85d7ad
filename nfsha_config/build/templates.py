"""The text of debian/templates: debconf-devel(7), ready for translators by po-debconf(7)."""

from __future__ import annotations

import textwrap

from nfsha_config.build.question import Question

_WIDTH = 78


def text(package: str, questions: tuple[Question, ...]) -> str:
    """All templates of a package, with the one that only its scripts use when they read answers from the file."""
    internal = [_internal(package)] if any(question.key for question in questions) else []
    return "\n".join([*map(_template, questions), *internal])


def _template(question: Question) -> str:
    lines = [f"Template: {question.name}", f"Type: {question.kind}"]
    if question.choices:
        # Names are not for translation; of words debconf keeps the original as the answer.
        lines.append(("__" if question.words else "") + "Choices: " + ", ".join(question.choices))
    if question.default:
        lines.append(f"Default: {question.default}")
    lines.append(f"_Description: {question.short}")
    for number, paragraph in enumerate(question.long):
        lines += [" ."] if number else []
        lines += textwrap.wrap(
            paragraph, _WIDTH, initial_indent=" ", subsequent_indent=" ", break_long_words=False, break_on_hyphens=False
        )
    return "\n".join(lines) + "\n"


def _internal(package: str) -> str:
    return (
        f"Template: {package}/read\n"
        "Type: string\n"
        "Description: for internal use; which site.toml the answers were read from\n"
    )
