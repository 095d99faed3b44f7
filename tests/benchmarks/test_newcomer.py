"""The way of a newcomer begins with what the README says first."""

from benchmarks.newcomer import first_command
from tests.house import ROOT


def test_the_first_command_of_the_readme_is_the_demo():
    assert first_command((ROOT / "README.md").read_text("utf-8")) == ["make", "demo"]
    assert first_command("text\n```console\n$ pip install it  # at once\n$ it demo\n```\n") == ["pip", "install", "it"]
