"""The registries of other libraries hold every id, old ones too, and nobody's name is taken away."""

import gymnasium
import pytest

import stackelberg_envs as se
from stackelberg_envs.faces.client_registries import enter_registries
from stackelberg_envs.faces.ids import earlier_ids


@pytest.mark.parametrize("spec_id", [name for name in se.registered_ids() if name.startswith("stackelberg/")])
def test_every_id_is_in_the_registries(spec_id):
    for name in (spec_id, *earlier_ids(spec_id)):
        follower, leader = (name.replace("-v", f"{role}-v") for role in ("Follower", "Leader"))
        assert gymnasium.registry[follower].vector_entry_point is not None
        assert gymnasium.registry[leader].vector_entry_point is not None
        pettingzoo = pytest.importorskip("pettingzoo.env_registry.registration")
        assert name in pettingzoo.aec_registry
        assert name in pettingzoo.parallel_registry


def test_a_name_that_is_taken_is_left_alone():
    name = "stackelberg/FourRoomsFollower-v0"
    before = gymnasium.registry[name]
    enter_registries(
        "stackelberg/FourRooms-v0",
        dict.fromkeys(("env", "parallel_env", "follower_env", "leader_env"), 0)
        | {"vector_env": 0, "leader_vector_env": 0},
    )
    assert gymnasium.registry[name] is before
