"""Tests stand where what they test stands: ``agents/leaders/naive.py`` has ``tests/agents/leaders/test_naive.py``."""

import pytest

from tests.house import ROOT

#: Files without tests of their own, and where they are tested instead: by what they are a part of.
WITHOUT = {
    "agents/cli/entry.py": "it hands over to main: cli/test_main.py",
    "agents/cli/output.py": "what commands print: the tests of each command",
    "agents/cli/parser.py": "words of the command line: cli/test_main.py and cli/test_fuzz_cli.py",
    "agents/cli/report.py": "it writes the page: benchmark/test_report.py",
    "agents/cli/run.py": "it chooses the command's kind of game: cli/test_run_game.py",
    "agents/cli/show.py": "it chooses what is shown: cli/test_show_game.py and cli/test_show_player.py",
    "agents/estimators/network_features.py": "features of the vector estimator: estimators/test_vector.py",
    "agents/estimators/step_model.py": "what models share: the tests of lstd_model, fitted_values and occupancy",
    "agents/estimators/unrolled.py": "what its leader estimates by: leaders/test_amd.py",
    "agents/followers/training.py": "what a follower gives a leader that trains it: leaders/test_rtq.py",
    "agents/pictures/figures.py": "the frame of every picture: pictures/test_plotting.py",
    "agents/pictures/gradients.py": "drawn by the command: cli/test_gradients.py",
    "agents/pictures/labels.py": "the words in pictures: pictures/test_plotting.py",
    "agents/runs/briefing.py": "what a brief holds at each level: observing/",
    "agents/runs/config.py": "options of a run: test_options.py and runs/test_experiment.py",
    "agents/runs/ending.py": "ends of runs: runs/test_running.py and runs/test_signals.py",
    "agents/runs/fingerprints.py": "what makes two games the same: state/test_stateful.py",
    "agents/runs/lineup.py": "who plays in a run: runs/test_experiment.py and runs/test_signals.py",
    "agents/runs/remote/bare.py": "the process before it has a leader: runs/remote/test_host.py",
    "agents/runs/run_state.py": "what a checkpoint holds: runs/test_checkpoints.py",
    "agents/state/fields.py": "kinds of fields of a state: state/test_stateful.py",
    "agents/state/generators.py": "generators in a state: state/test_stateful.py",
    "stackelberg_envs/envs/toll_routing/sioux_falls.py": "data: envs/toll_routing/test_networks.py",
    "stackelberg_envs/conformity/clauses.py": "the wording of clauses: the tests of each check",
    "stackelberg_envs/faces/common.py": "what both interfaces share: faces/test_parallel.py, faces/test_aec.py",
    "stackelberg_envs/faces/followers.py": "the followers' side alone: faces/test_official.py and play/test_resets.py",
    "stackelberg_envs/faces/vector.py": "it chooses by the game: faces/test_registration.py",
    "stackelberg_envs/games/cotangents.py": "sums of derivatives: solvers/soft/test_hypergradient.py",
    "stackelberg_envs/games/matrices.py": "symmetry and definiteness: games/test_linear_forms.py",
    "stackelberg_envs/games/observed.py": "what leaders see: games/test_environments.py and play/",
    "stackelberg_envs/games/primitives.py": "arrays of a game: games/test_tabular.py",
    "stackelberg_envs/games/trajectories.py": "play, as leaders see it: tests/agents/observing/test_trajectories.py",
    "stackelberg_envs/solvers/soft/krylov.py": "systems too large to be factorised: solvers/soft/test_linear.py",
    "stackelberg_envs/solvers/soft/precise.py": "numbers in two parts: solvers/soft/test_accuracy.py",
    "stackelberg_envs/solvers/soft/precise_bounds.py": "bounds of rounding: solvers/soft/test_accuracy.py",
    "stackelberg_envs/solvers/soft/precise_kernels.py": "loops of these: solvers/soft/test_accuracy.py",
}
#: Tests that concern more than one file, and what they are about.
ACROSS = {
    "agents/cli/test_fuzz_cli.py": "odd words to every command",
    "agents/cli/test_module_ids.py": "ids with a module in every command",
    "agents/observing/test_barrier.py": "what can be reached from a brief, by reference and by import",
    "agents/observing/test_barrier_linear.py": "the same in linear-quadratic games",
    "agents/runs/test_checkpoint_fuzzer.py": "damaged checkpoints of every player",
    "agents/runs/test_fuzz_run.py": "odd options of every player",
    "agents/runs/test_hostile_checkpoints.py": "checkpoints that want to do harm, in every file that reads them",
    "agents/runs/test_recorded_numbers.py": "numbers of every leader and follower, as once recorded",
    "agents/runs/test_units.py": "rewards in other units, in every leader",
    "agents/test_feasible_actions.py": "feasible actions and discount 1, in every player",
    "agents/test_slices.py": "compiled loops in slices, wherever they are",
    "stackelberg_envs/faces/test_action_masks.py": "feasible actions on every interface",
    "stackelberg_envs/faces/test_fuzz_faces.py": "odd calls to every interface",
    "stackelberg_envs/faces/test_official.py": "the checkers of PettingZoo, Gymnasium and SuperSuit",
    "stackelberg_envs/games/test_doors.py": "what games and commitments refuse alike",
    "stackelberg_envs/games/test_doors_fuzz.py": "odd arguments to every game and commitment",
    "stackelberg_envs/solvers/soft/test_discount_one.py": "discount 1 in every solver",
    "stackelberg_envs/solvers/soft/test_feasible_actions.py": "feasible actions in every solver",
    "stackelberg_envs/solvers/soft/test_loops.py": "each compiled loop of the solver against NumPy",
    "stackelberg_envs/test_public_names.py": "the front of the package",
}
#: A room that is still being built.
NEW = ("agents", "benchmark")
SOURCES = {
    path.relative_to(ROOT).as_posix()
    for package in ("agents", "stackelberg_envs")
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__init__.py" and path.relative_to(ROOT).parts[:2] != NEW
}
TESTS = {
    path.relative_to(ROOT / "tests").as_posix()
    for package in ("agents", "stackelberg_envs")
    for path in (ROOT / "tests" / package).rglob("test_*.py")
    if path.relative_to(ROOT / "tests").parts[:2] != NEW
}


def mirrored(source):
    """Return the place of a file's tests, in the folder of tests."""
    folder, _, name = source.rpartition("/")
    return f"{folder}/test_{name}"


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_a_file_has_tests_in_the_place_that_mirrors_its_own(source):
    assert (mirrored(source) in TESTS) != (source in WITHOUT), f"{source}: expected tests/{mirrored(source)}"


@pytest.mark.parametrize("test", sorted(TESTS))
def test_tests_are_those_of_a_file(test):
    assert (test in map(mirrored, SOURCES)) != (test in ACROSS), f"tests/{test}: expected a file that it mirrors"


def test_exceptions_are_of_files_that_are_there():
    assert WITHOUT.keys() <= SOURCES
    assert ACROSS.keys() <= TESTS
