"""The registries of PettingZoo and Gymnasium, in which every id has its faces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["enter_registries"]


def enter_registries(spec_id: str, faces: Mapping[str, Any]) -> None:
    """Register the faces of an id wherever nobody has taken its name.

    Parameters
    ----------
    spec_id
        ``namespace/Name-v<int>``.
    faces
        Name of a face -> its constructor, or ``"module:name"`` of it, which is imported when first used.
    """
    import gymnasium
    import pettingzoo

    # PettingZoo has registries from 1.27 on.
    if hasattr(pettingzoo, "register"):
        from pettingzoo.env_registry.registration import aec_registry, parallel_registry

        for kind, registry, face in (("aec", aec_registry, "env"), ("parallel", parallel_registry, "parallel_env")):
            if spec_id not in registry:
                pettingzoo.register(kind, spec_id, entry_point=faces[face])
    base, _, version = spec_id.rpartition("-")
    views = (("Follower", "follower_env", faces["vector_env"]), ("Leader", "leader_env", faces["leader_vector_env"]))
    for suffix, face, vector in views:
        name = f"{base}{suffix}-{version}"
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=faces[face], vector_entry_point=vector)
