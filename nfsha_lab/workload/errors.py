"""The one exception a user may meet: it says what is wrong and what to do."""


class WorkloadError(Exception):
    """A user error or an unusable log; the text is the whole message, and no traceback belongs to it."""
