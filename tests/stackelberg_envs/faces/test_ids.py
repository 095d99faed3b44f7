"""Ids and file names, and the ids whose place others took."""

import pytest

from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces import ids


def test_ids_follow_from_file_names():
    assert ids.id_of("guided_cartpole_v0") == "stackelberg/GuidedCartPole-v0"
    assert ids.module_name("stackelberg/GuidedCartPole-v0") == "guided_cartpole_v0"
    assert ids.module_name("stackelberg/BilevelLqr-v1") == "bilevel_lqr_v1"
    assert ids.id_of("four_rooms_v0") == "stackelberg/FourRooms-v0"
    with pytest.raises(ArgumentError, match="four_rooms_v0"):
        ids.id_of("FourRooms")


def test_earlier_ids_are_those_with_a_lower_number():
    assert ids.earlier_ids("stackelberg/FourRooms-v0") == []
    assert ids.earlier_ids("mine/Game-v2") == ["mine/Game-v0", "mine/Game-v1"]
    assert ids.earlier_modules()["discrete_toy_v0"] == "stackelberg/DiscreteToy-v0"
    assert ids.newest_id("stackelberg/DiscreteToy-v0") == "stackelberg/DiscreteToy-v1"
    for known in ("stackelberg/DiscreteToy-v1", "stackelberg/DiscreteToy-v2", "mine/Game-v0"):
        assert ids.newest_id(known) == known
