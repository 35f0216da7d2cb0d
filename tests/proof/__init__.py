"""Proofs that take longer than a test may: load, faults, random histories, a cluster. See docs/proof.md."""
