"""nfsha: highly available NFSv4 for plain Debian."""

__version__ = "0.1.0"
