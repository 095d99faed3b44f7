import numpy as np
import pytest

from stackelberg_envs.solvers.certificates.fits import logistic_fit, soft_mean, soft_shares, soft_sum, softplus_fit
from stackelberg_envs.solvers.certificates.quadratics import monomials

CENTRES = (-40.0, -6.0, -1.5, 0.0, 0.3, 4.0, 40.0)
RADII = (0.0, 1e-6, 5e-4, 0.02, 0.5, 1.0, 3.0, 20.0)


@pytest.mark.parametrize(
    ("fit", "function"),
    [
        (softplus_fit, lambda x: np.logaddexp(0.0, x)),
        (logistic_fit, lambda x: np.exp(-np.logaddexp(0.0, -x))),
    ],
    ids=["softplus", "logistic"],
)
@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("radius", RADII)
def test_a_fit_is_no_further_off_than_it_says(fit, function, centre, radius):
    a, b, c, error = fit(centre, radius)
    x = np.linspace(-radius, radius, 2_001)
    off = np.abs(function(centre + x) - a - b * x - c * x * x).max()
    assert off <= error
    # And says not much more than that, or than a third derivative of at most an eighth allows.
    assert error <= 4.0 * off + 0.025 * min(radius, 1.0) ** 3 + 1e-12


def polynomials(rng, B, D, scale):
    M = monomials(D).shape[1]
    made = scale * rng.standard_normal((B, M))
    made[:, 0] = rng.standard_normal(B)
    made[:, 1 + D :] *= scale
    return made


@pytest.mark.parametrize("scale", [0.01, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("B", [1, 2, 4])
def test_sums_and_means_of_softmax_are_no_further_off_than_they_say(scale, B):
    rng, D = np.random.default_rng([B, int(100 * scale)]), 2
    factors = monomials(D)
    for _ in range(5):
        logits, values = polynomials(rng, B, D, scale), polynomials(rng, B, D, scale)
        errors = scale**2 * rng.random(B)
        total, mean = np.empty(factors.shape[1]), np.empty(factors.shape[1])
        one = soft_sum(logits, D, factors, total)
        made = np.empty(B, dtype=np.int32), np.empty(logits.shape), np.empty(B), np.empty(B)
        soft_shares(logits, errors, D, factors, *made)
        two = soft_mean(values, *made, D, factors, mean)
        for t in [*np.array(np.meshgrid([-1, 1], [-1, 1])).reshape(2, -1).T, *rng.uniform(-1, 1, (30, D))]:
            terms = np.concatenate([[1.0], t, [t[i] * t[j] for i, j in factors[:, 1 + D :].T]])
            u = logits @ terms
            assert abs(np.logaddexp.reduce(u) - total @ terms) <= one + 1e-14
            moved = u + errors * rng.choice([-1, 1], B)
            weights = np.exp(moved - np.logaddexp.reduce(moved))
            assert abs(weights @ (values @ terms) - mean @ terms) <= two + 1e-14


def test_what_is_left_out_shrinks_as_the_cube_of_the_box():
    rng, factors = np.random.default_rng(0), monomials(2)
    logits = polynomials(rng, 3, 2, 1.0)
    out, found = np.empty(factors.shape[1]), []
    for scale in (0.1, 0.05):
        smaller = logits.copy()
        smaller[:, 1:3] *= scale
        smaller[:, 3:] *= scale * scale
        found.append(soft_sum(smaller, 2, factors, out))
    assert found[1] < found[0] / 7
