"""Whose fault it was: the laboratory's own, or that of what is tried in it."""


class LabError(Exception):
    """The laboratory could not do its work: QEMU, agent, image, host. The message says what, where, what to do."""


class ProductError(LabError):
    """The laboratory works; a check on what runs inside a machine did not hold."""
