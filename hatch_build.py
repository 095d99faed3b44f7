"""Gives wheels the files of ``agents`` a second time, as ``stackelberg_envs/agents``.

Another distribution may write its own files over those of the folder ``agents``; nobody else writes into
``stackelberg_envs``. An editable installation needs no copy: there both packages stand in the checkout.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class AgentsTwice(BuildHookInterface):
    """Adds the copy."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the folder that goes into the wheel once more."""
        if version == "standard":
            build_data["force_include"]["agents"] = "stackelberg_envs/agents"
