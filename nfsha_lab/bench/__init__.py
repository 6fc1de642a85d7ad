"""The same load and the same faults for nfsha and for what one would use in its place."""
