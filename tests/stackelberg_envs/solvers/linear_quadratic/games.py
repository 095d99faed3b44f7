"""Commitments and random games for the tests of linear-quadratic solutions."""

import numpy as np
from scipy.optimize import minimize

from stackelberg_envs.errors import InstabilityError
from stackelberg_envs.games.linear_forms import LinearForm, LinearNumbers, LinearProblem, QuadraticReward
from stackelberg_envs.solvers.linear_quadratic.solution import (
    solve_problem,
)

MIDDLE = np.full(8, 0.5)


def gains(count, seed, reach=9.0):
    return np.random.default_rng(seed).uniform(-reach, reach, (count, 1, 2))


def designs(count, seed):
    return np.random.default_rng(seed).uniform(0, 1, (count, 8))


def random_game(seed, A=2):
    """A linear-quadratic game with both kinds of commitment at once and correlated noise everywhere."""
    rng = np.random.default_rng(seed)
    W, B, D = 3, 2, 4

    def covariance(size, scale):
        root = scale * rng.standard_normal((size, size))
        return root @ root.T + 0.1 * scale**2 * np.eye(size)

    form = LinearForm(
        basis=0.2 * rng.standard_normal((3, 1 + D, W, W)),
        gains=0.3 * rng.standard_normal((1 + D, A, W)),
        follower_action_size=B,
        leader_noise=covariance(A, 0.3),
        price=0.7,
    )
    numbers = LinearNumbers(
        weights=rng.standard_normal(3),
        follower_input=rng.standard_normal((W, B)),
        leader_input=rng.standard_normal((W, A)),
        noise=covariance(W, 0.2),
        state_cost=covariance(W, 1.0),
        action_cost=covariance(B, 0.5),
        initial_mean=rng.standard_normal(W),
        initial_covariance=covariance(W, 0.4),
    )
    return form, numbers, QuadraticReward(covariance(W, 1.0), covariance(B, 0.7)), rng.uniform(-1, 1, D)


def solved(game, x, **changes):
    form, numbers, reward, _ = game
    options = {"leader_discount": 0.8, "follower_discount": 0.9, "temperature": 0.3, "horizon": 50} | changes
    return solve_problem(LinearProblem(form, numbers, reward, **options), x)


def climb(game, start):
    """Return the value and the place where bounded exact gradient ascent ends."""
    box = game.commitment

    def loss(flat):
        try:
            solution = solve_problem(game.problem, flat.reshape(box.shape))
        except InstabilityError:
            return 1e3, np.zeros(flat.size)
        return -solution.leader_value, -solution.gradient.ravel()

    bounds = list(zip(box.low.ravel(), box.high.ravel(), strict=True))
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 500}
    found = minimize(loss, np.ravel(start), jac=True, bounds=bounds, method="L-BFGS-B", options=options)
    return -found.fun, found.x
