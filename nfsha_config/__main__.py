"""`python3 -m nfsha_config` is the command nfsha."""

from nfsha_config.cli import main

main()
