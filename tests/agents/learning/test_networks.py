"""Networks whose parameters are arrays. Skipped without torch, but for what a missing torch gets."""

import sys

import numpy as np
import pytest

from agents.learning.networks import Network, Trained, descend, load_torch, one_thread, tensor
from agents.state.tree import from_bytes, to_bytes
from stackelberg_envs.errors import ConvergenceError, MissingExtraError


def test_without_torch_the_extra_is_named_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"^soft_dqn: .* `pip install 'stackelberg-envs\[torch\]'` installs$"):
        load_torch("soft_dqn")


@pytest.fixture
def torch():
    found = pytest.importorskip("torch", reason="the extra torch is not installed")
    with one_thread():
        yield found


def make(seed=0, **options):
    return Network([3, 5, 4, 2], np.random.default_rng(seed), **options)


def silu(values):
    return values / (1.0 + np.exp(-values))


def by_hand(network, inputs):
    """Return the outputs in plain NumPy, double precision."""
    out = []
    for flat in network.parameters.astype(float).reshape(network.copies, -1):
        values, at = inputs, 0
        for layer, (n, m) in enumerate([(3, 5), (5, 4), (4, 2)]):
            weights, bias = flat[at : at + n * m].reshape(n, m), flat[at + n * m : at + n * m + m]
            values = (silu(values) if layer else values) @ weights + bias
            at += n * m + m
        out.append(values + inputs @ flat[at:].reshape(3, 2))
    return np.array(out)


@pytest.mark.parametrize("copies", [1, 2])
def test_outputs_are_those_of_the_formula(torch, copies):
    network, inputs = make(copies=copies), np.random.default_rng(1).normal(size=(7, 3))
    found = network(tensor(inputs)).numpy()
    assert found.shape == (copies, 7, 2)
    np.testing.assert_allclose(found, by_hand(network, inputs), rtol=1e-5, atol=1e-6)


def test_equal_generators_give_equal_networks_and_torch_draws_nothing(torch):
    before = torch.random.get_rng_state()
    first, second, third = make(), make(), make(seed=1)
    assert (first.parameters == second.parameters).all()
    assert not (first.parameters == third.parameters).all()
    assert first.parameters.dtype == np.float32
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_network_that_begins_near_zero_is_small(torch):
    inputs = tensor(np.random.default_rng(1).normal(size=(50, 3)))
    assert make(last=0.01)(inputs).abs().max() < 0.05 < make()(inputs).abs().max()


def test_the_number_of_threads_is_as_before(torch):
    torch.set_num_threads(2)
    with pytest.raises(KeyError), one_thread():
        assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == 2


def loss_of(network, leaf):
    inputs = tensor(np.random.default_rng(1).normal(size=(64, 3)))
    return ((network(inputs, leaf)[0] - inputs[:, :2] ** 2) ** 2).mean()


def test_descent_descends_and_the_slow_copy_follows(torch):
    part = Trained(make(), 0.01)
    begun = part.network.parameters.copy()
    first = float(loss_of(part.network, None))
    for _ in range(200):
        leaf = part.network.leaf()
        descend(loss_of(part.network, leaf), [part], [leaf], "test")
        part.follow(0.5)
    assert float(loss_of(part.network, None)) < 0.1 * first
    assert not (part.network.parameters == begun).any()
    np.testing.assert_allclose(part.target.parameters, part.network.parameters, atol=0.05)
    assert part.network.parameters.dtype == part.target.parameters.dtype == np.float32


def test_descent_of_a_loss_that_is_not_finite_is_an_error_and_changes_nothing(torch):
    part = Trained(make(), 0.01)
    before, leaf = part.network.parameters.copy(), part.network.leaf()
    with pytest.raises(ConvergenceError, match=r"^test: expected a finite gradient"):
        descend(loss_of(part.network, leaf) * float("inf"), [part], [leaf], "test")
    assert (part.network.parameters == before).all()


def test_a_copy_has_parameters_of_its_own(torch):
    network = make()
    twin = network.copy()
    network.parameters += 1.0
    assert (twin.parameters == make().parameters).all()


def test_what_was_stored_learns_on_bit_for_bit(torch):
    part, twin = Trained(make(), 0.01), Trained(make(seed=9), 0.01)

    def improve(which):
        leaf = which.network.leaf()
        descend(loss_of(which.network, leaf), [which], [leaf], "test")
        which.follow(0.1)

    improve(part)
    twin.load_state_dict(from_bytes(to_bytes(part.state_dict())))
    for _ in range(3):
        improve(part)
        improve(twin)
    assert (part.network.parameters == twin.network.parameters).all()
    assert (part.target.parameters == twin.target.parameters).all()
