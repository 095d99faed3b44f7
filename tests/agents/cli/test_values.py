"""Words as values: literals, never evaluated."""

from agents.cli.main import command_parser
from agents.cli.values import pair, value_of
from tests.agents.cli.words import TOY, refused


def test_values_are_read_without_being_evaluated():
    read = {text: value_of(text) for text in ("1e5", "-2", "adam", "true", "none", "(1, 2)", "[[1, 9]]", "'a b'")}
    assert list(read.values()) == [1e5, -2, "adam", True, None, (1, 2), [[1, 9]], "a b"]
    pairs = dict(map(pair, ["steps=1e5", "first-steps=none"]))
    assert pairs == {"steps": 100_000, "first_steps": None}
    assert isinstance(pairs["steps"], int)


def test_whole_numbers_are_read_exactly(capsys):
    number = 2**63 + 1
    parser = command_parser()
    assert parser.parse_args(["run", TOY, "--seed", str(number)]).seed == number
    assert parser.parse_args(["run", TOY, "--updates", "1_000"]).updates == 1_000
    assert parser.parse_args(["run", TOY, "--updates", "5e3"]).updates == 5_000
    assert "argument --updates: expected an integer in [1, 2147483647]" in refused(
        capsys, "run", TOY, "--updates", "1e30"
    )


def test_text_that_is_no_word_has_quotes_of_its_own(capsys):
    assert value_of('"P.#D"') == "P.#D"
    said = refused(capsys, "show", "stackelberg/Warehouse-v0", "--set", "floor=P.#D")
    assert "or other text in quotes of its own as '\"a b\"', got 'P.#D'" in said
