"""What runs on a cluster machine, as root."""
