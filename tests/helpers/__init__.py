"""Functions and data that several test modules use. Fixtures are in conftest.py."""
