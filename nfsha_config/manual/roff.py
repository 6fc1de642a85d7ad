"""Lines of plain text as man(7) wants them.

A page is written with the requests of man(7) and, between them, text as in Markdown: `literal`, *placeholder or file*.
Names of manual pages, such as man(7), become bold. All else stands for itself.
"""

from __future__ import annotations

import re

_MARKED = re.compile(
    r"`(?P<literal>[^`]+)`|\*(?P<italic>[^*\s]+)\*|\b(?P<page>[a-z][\w.-]*)(?P<section>\([1-8]\))|(?P<name>\bnfsha-[\w.-]*\w)"
)
_LITERAL = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}


def page(text: str) -> str:
    """The page; empty lines, which templates leave, count only in an example (.EX to .EE)."""
    lines = []
    example = False
    for line in text.splitlines():
        if line in (".EX", ".EE"):
            example = line == ".EX"
            lines += [".RS 4", line] if example else [line, ".RE"]
        elif line.startswith("."):
            lines.append(line)
        elif example:
            lines.append(_guarded(literal(line)))
        elif line.strip():
            lines.append(_guarded(prose(line.strip())))
    return "\n".join(lines) + "\n"


def prose(text: str) -> str:
    """Text with its marks as changes of the font."""
    parts = []
    end = 0
    for match in _MARKED.finditer(text):
        parts += [_plain(text[end : match.start()]), _font(match)]
        end = match.end()
    return "".join([*parts, _plain(text[end:])])


def literal(text: str) -> str:
    """What a person may copy into a terminal: no character becomes a more beautiful one (groff_char(7))."""
    return "".join(_LITERAL.get(character, character) for character in text)


def _font(match: re.Match[str]) -> str:
    """None of it is broken with a hyphen at the end of a line."""
    if match["literal"]:
        return rf"\fB\%{literal(match['literal'])}\fR"
    if match["italic"]:
        return rf"\fI\%{literal(match['italic'])}\fR"
    if match["name"]:
        return rf"\%{literal(match['name'])}"
    return rf"\fB\%{literal(match['page'])}\fR{match['section']}"


def _plain(text: str) -> str:
    """A hyphen inside of a word is one, any other is a minus sign."""
    return re.sub(r"(?<!\w)-|-(?!\w)", r"\\-", text.replace("\\", "\\e"))


def _guarded(line: str) -> str:
    """A line of text is no request, whatever it begins with."""
    return rf"\&{line}" if line.startswith((".", "'")) else line
