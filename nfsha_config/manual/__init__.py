"""The manual pages. Only the build of the tool's package runs this; setup.cfg leaves it out of what is installed."""
