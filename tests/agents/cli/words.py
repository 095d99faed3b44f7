"""What the tests of the command line share: short runs, refusals, and players that fail."""

import json

from agents.cli.main import main
from agents.followers.soft_value_iteration import SoftValueIteration

TOY, ROOMS = "stackelberg/DiscreteToy-v1", "stackelberg/FourRooms-v0"
SHORT = ["--updates", "3", "--steps-per-update", "100"]


def refused(capsys, *words):
    """Run, expect a refusal in one line on standard error, and return that line."""
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("stackelberg: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def fail_after(monkeypatch, calls, error):
    """Make the follower raise, or call, `error` at its n-th commitment."""
    learn, seen = SoftValueIteration.learn, []

    def counted(self, view):
        seen.append(1)
        if len(seen) == calls:
            if callable(error):
                error()
            else:
                raise error
        return learn(self, view)

    monkeypatch.setattr(SoftValueIteration, "learn", counted)


def without_seconds(folder):
    values = json.loads((folder / "record.json").read_text())
    del values["seconds"]
    return values
