"""Tests of the workload and of its check."""
