"""Reference values are plain data with a status that everybody knows."""

import json

import pytest

from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.references import STATUSES, Reference


@pytest.mark.parametrize("status", STATUSES)
def test_a_reference_is_plain_data(status):
    fact = Reference(3.5, status, "temperature 0", "by hand").as_fact()
    assert json.loads(json.dumps(fact)) == fact
    assert fact["status"] == status


def test_an_unknown_status_is_refused():
    with pytest.raises(ArgumentError, match=r"status: expected one of 'closed form', .*, got 'sure'"):
        Reference(3.5, "sure", "temperature 0", "by hand")
