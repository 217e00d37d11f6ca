"""What several test modules use. Fixtures are in `conftest.py`."""
