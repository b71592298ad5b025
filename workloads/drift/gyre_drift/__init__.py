"""Judges one window of a service's prediction log against a reference; what runs in the Jobs of a DriftMonitor."""
