import numpy as np

from stackelberg_envs.solvers.certificates.linear_systems import on_box
from stackelberg_envs.solvers.certificates.policy_sets import (
    OptimisticProcess,
    best_choice,
    leader_intervals,
    optimistic_values,
    probability_intervals,
)
from tests.stackelberg_envs.solvers.certificates.small_games import Box


def test_probabilities_stay_in_their_intervals():
    rng = np.random.default_rng(0)
    low, high = np.empty(3), np.empty(3)
    for _ in range(50):
        logits, radius = 2 * rng.standard_normal(3), rng.random(3)
        apart = radius[:, None] + radius * (1 - np.eye(3))
        probability_intervals(logits, apart, low, high)
        for signs in np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T:
            weights = np.exp(logits + signs * radius)
            weights /= weights.sum()
            assert (low <= weights).all()
            assert (weights <= high).all()


def test_the_best_choice_is_a_linear_program_s():
    from scipy.optimize import linprog

    rng, out = np.random.default_rng(1), np.empty(4)
    for _ in range(30):
        middle = rng.dirichlet(np.ones(4))
        low, high = middle * rng.random(4), np.minimum(1.0, middle + 0.3 * rng.random(4))
        values = rng.standard_normal(4)
        found = best_choice(values, low, high, out)
        best = linprog(-values, A_eq=np.ones((1, 4)), b_eq=[1.0], bounds=list(zip(low, high, strict=True)))
        np.testing.assert_allclose(found, -best.fun, atol=1e-12)
        np.testing.assert_allclose(out.sum(), 1.0)


def test_no_policy_of_a_set_is_worth_more_than_the_optimistic_values():
    rng = np.random.default_rng(2)
    for name in ("features", "policy", "mixture", "contexts"):
        box = Box(name, 0.3, seed=5)
        arrays = on_box(box.arrays, box.centre, box.radii)
        Z, A, B = arrays.follower_reward.shape[:3]
        low, high = np.full((Z, A, B), 0.2), np.full((Z, A, B), 0.8)
        process = OptimisticProcess(
            arrays.successors,
            arrays.probabilities,
            arrays.continuing,
            0.9,
            *leader_intervals(arrays.leader_policy),
            low,
            high,
        )
        reward = rng.standard_normal((Z, A, B))
        upper, _, _ = optimistic_values(process, reward, np.zeros(Z))
        for z, t in box.points(20):
            own = box.game.primitives(box.game.commitment.project(box.made.commitment(z)))
            policy = low + rng.dirichlet(np.full(B, 0.3), size=(Z, A)) * (1 - low.sum(axis=-1, keepdims=True))
            joint = (
                own.leader_policy[:, :, None] * np.minimum(policy, high) / np.minimum(policy, high).sum(-1)[..., None]
            )
            matrix = np.zeros((Z, Z))
            for s in range(Z):
                weights = joint[s][..., None] * own.transition.probabilities[s]
                np.add.at(matrix[s], own.transition.successors[s].ravel(), weights.ravel())
            values = np.linalg.solve(
                np.eye(Z) - 0.9 * own.continuing[:, None] * matrix, np.einsum("sab,sab->s", joint, reward)
            )
            assert (values <= upper + 1e-12).all(), (name, t)
