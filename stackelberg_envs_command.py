"""The commands ``stackelberg`` and ``stackelberg-envs``: one file beside the packages.

They work where another distribution has installed its own ``agents``, and show their help without loading any game.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

__all__ = ["main"]


def main() -> None:
    """Run the command line, and end the process."""
    spec = find_spec("agents")
    front = "" if spec is None or spec.origin is None else Path(spec.origin).read_text(encoding="utf-8")
    package = "agents" if '__distribution__ = "stackelberg-envs"' in front else "stackelberg_envs.agents"
    import_module(f"{package}.cli.entry").main()
