"""A library that cannot take an environment's actions: one sentence says which argument makes it one that can."""

import pytest
from gymnasium.spaces import Dict

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, UnknownNameError
from stackelberg_envs.faces.clients import CLIENTS, check_client

ROOMS, TOY, TAX = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1", "stackelberg/TaxDesign-v0"
BUILDING, LQR = "stackelberg/BuildingThermal-v1", "stackelberg/BilevelLqr-v1"
IDS = [name for name in se.registered_ids() if name.startswith("stackelberg/")]

#: Library, environment and arguments -> what is said, and the environment and arguments that it asks for.
REFUSED = [
    ("torchrl", se.follower_env, TAX, {}, "pass flatten_actions=True", se.follower_env, {"flatten_actions": True}),
    ("benchmarl", se.parallel_env, TAX, {}, "pass flatten_actions=True", se.parallel_env, {"flatten_actions": True}),
    ("epymarl", se.parallel_env, ROOMS, {}, "pass menu=k", se.parallel_env, {"menu": 5}),
    ("stable-baselines3", se.follower_env, BUILDING, {}, "normalize=True", se.follower_env, {"normalize": True}),
    ("stable-baselines3", se.leader_env, TOY, {}, "pass normalize=True", se.leader_env, {"normalize": True}),
    ("tianshou", se.env, ROOMS, {}, "pass menu=4, or take the followers alone", se.env, {"menu": 4}),
    ("tianshou", se.env, ROOMS, {}, "followers_aec_env", se.followers_aec_env, {}),
    ("supersuit", se.parallel_env, TAX, {}, "take the followers alone", se.followers_env, {}),
]


@pytest.mark.parametrize(("client", "face", "spec_id", "options", "said", "other", "more"), REFUSED)
def test_what_is_refused_says_what_is_taken(client, face, spec_id, options, said, other, more):
    with pytest.raises(ArgumentError, match=f"{client}: expected .*{said}"):
        check_client(face(spec_id, **options), client)
    check_client(other(spec_id, **(options | more)), client)


@pytest.mark.parametrize("spec_id", IDS)
@pytest.mark.parametrize("client", sorted(set(CLIENTS) - {"epymarl"}))
def test_with_the_arguments_for_clients_every_follower_is_taken(client, spec_id):
    forms = {"normalize": True, "flatten_actions": True}
    for face in (se.followers_env, se.followers_aec_env, se.follower_env):
        check_client(face(spec_id, **forms), client)
    if not CLIENTS[client].alike:
        check_client(se.parallel_env(spec_id, **forms), client)


def test_a_box_of_a_follower_has_no_number():
    with pytest.raises(ArgumentError, match=r"epymarl: .* follower_0 has Box.*se\.discretise"):
        check_client(se.followers_env(LQR), "epymarl")


@pytest.mark.parametrize("env", [None, 3, TOY, se.parallel_env, Dict])
def test_what_is_no_environment_is_refused(env):
    with pytest.raises(ArgumentError, match="env: expected a PettingZoo or Gymnasium environment, got"):
        check_client(env, "torchrl")


def test_strange_spaces_and_strange_libraries():
    with pytest.raises(UnknownNameError, match="did you mean 'torchrl'"):
        check_client(se.follower_env(TOY), "torch-rl")

    class Odd:
        action_space = Dict()

    with pytest.raises(ArgumentError, match="rllib: expected flat actions among Box, Discrete, MultiDiscrete"):
        check_client(Odd(), "rllib")
