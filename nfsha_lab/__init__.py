"""The laboratory: four real Debian machines in QEMU on which nfsha is installed, broken and watched."""
