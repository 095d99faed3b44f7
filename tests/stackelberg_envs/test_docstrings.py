"""What docstrings say, as text for people."""

from stackelberg_envs.docstrings import docstring_of, meanings_of, summary_of


class Base:
    """A base.

    Attributes
    ----------
    a, b
        Both, in
        two lines; see :mod:`some.module` and `a`.
    c
        Of the base.
    """


class Derived(Base):
    """Something that
    goes on.

    And more.

    Attributes
    ----------
    c
        Its own.

    Raises
    ------
    ValueError
        Never.
    """


def function(x, y):
    """Do it.

    Parameters
    ----------
    x
        The first.
    """


def nothing():
    pass


def test_the_first_paragraph_is_one_line():
    assert docstring_of(Derived).startswith("Something that\ngoes on.")
    assert summary_of(Derived) == "Something that goes on."
    assert summary_of(nothing) == ""


def test_meanings_are_those_of_a_class_and_its_bases():
    both = "Both, in two lines; see :mod:`some.module` and `a`."
    assert meanings_of(Derived) == {"a": both, "b": "See `a`.", "c": "Its own."}
    assert meanings_of(function) == {"x": "The first."}
    assert meanings_of(nothing) == {}
