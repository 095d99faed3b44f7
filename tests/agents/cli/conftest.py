import pytest


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """A wide terminal, so that no line is broken."""
    monkeypatch.setenv("COLUMNS", "200")
