"""The page of an environment."""

from agents.cli.main import main
from tests.agents.cli.words import ROOMS


def test_show_tells_what_an_environment_is(capsys):
    assert main(["show", ROOMS, "--set", "penalty=1.5"]) == 0
    out = capsys.readouterr().out
    assert "1 per step on the target cell" in out
    assert "temperature" in out
    assert "# # # #" in out
    row = next(line for line in out.splitlines() if line.startswith("penalty"))
    assert row.split()[1:3] == ["5.0", "1.5"]
    assert out.rstrip().endswith(f"stackelberg run {ROOMS} --set penalty=1.5")


def test_show_works_for_every_environment(capsys):
    from stackelberg_envs.faces.registration import registered_ids

    for name in registered_ids():
        assert main(["show", name]) == 0
        assert "Under the commitment nearest to zero" in capsys.readouterr().out


def test_show_tells_of_followers_who_affect_each_other(capsys):
    assert main(["show", "stackelberg/TollRouting-v0", "--set", "commuters=3"]) == 0
    out = capsys.readouterr().out
    assert "S = 1, A = 0 (leader), B = 2 for each of 3 (follower)" in out
    assert out.rstrip().endswith("--set commuters=3")


def test_show_tells_the_names_of_the_entries(capsys):
    assert main(["show", "stackelberg/TaxDesign-v0"]) == 0
    assert "income tax, VAT 1, VAT 2, VAT 3" in " ".join(capsys.readouterr().out.split())
