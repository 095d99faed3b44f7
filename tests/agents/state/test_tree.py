"""Trees of plain values come back as they were; whatever else a file may hold is refused before it is read."""

import io
import json
import pickle
import threading
import tracemalloc
import zipfile
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from agents.state.generators import GENERATORS
from agents.state.tree import DTYPES, check_like, digest, from_bytes, read_tree, to_bytes
from stackelberg_envs.errors import ArgumentError, OutputError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
ARRAYS = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda name: arrays.arrays(np.dtype(name), arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)
KEYS = st.text() | st.integers() | st.tuples(st.integers(), st.text())
TREES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


def same(one, other):
    """Equality to the bit, types included."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    elif isinstance(one, dict):
        assert list(one) == list(other)
        assert all(same(value, other[key]) for key, value in one.items())
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        assert all(map(same, one, other))
    else:
        assert repr(one) == repr(other)
    return True


@settings(max_examples=60, deadline=None, derandomize=True)
@given(TREES)
def test_every_tree_comes_back_as_it_was(tree):
    back = from_bytes(to_bytes(tree))
    assert same(tree, back)
    assert digest(tree) == digest(back)
    check_like(tree, back, "tree")


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_go_on_where_they_were(name):
    rng = np.random.Generator(getattr(np.random, name)(1))
    rng.random(3, dtype=np.float32)  # leaves half a word behind
    back = from_bytes(to_bytes({"rng": rng}))["rng"]
    assert (rng.random(9, dtype=np.float32) == back.random(9, dtype=np.float32)).all()
    old = np.random.RandomState(1)
    old.randn(3)
    back = from_bytes(to_bytes(old))
    assert (old.randn(9) == back.randn(9)).all()


def test_the_order_of_memory_is_kept_and_arrays_can_be_written_to():
    back = from_bytes(
        to_bytes([np.asfortranarray(np.arange(6).reshape(2, 3)), np.arange(6)[::2], deque([1], maxlen=2)])
    )
    assert back[0].flags.f_contiguous
    assert back[1].tolist() == [0, 2, 4]
    assert back[2] == [1]
    back[0][0, 0] = 7


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"a": [threading.Lock()]}, r"\['a'\]\[0\]: .*got an object of _thread:lock"),
        (lambda: 0, "value: .*got an object of builtins:function"),
        (int, "builtins:type"),
        (np.array([object()]), "an array of object"),
        (np.zeros(1, dtype="f8,i4"), "an array of "),
        (np.array(["a"]), "an array of <U1"),
        (np.array(["2020"], dtype="M8[D]"), "an array of datetime64"),
        (np.ma.masked_array([1]), "MaskedArray"),
        ({1.5: 0}, "the key 1.5"),
        ({True: 0}, "the key True"),
        ({1}, "builtins:set"),
    ],
)
def test_what_is_no_tree_is_named_with_the_way_to_it(value, what):
    with pytest.raises(ArgumentError, match=what):
        to_bytes(value)


def test_a_tree_may_not_be_deep():
    tree = []
    for _ in range(100):
        tree = [tree]
    with pytest.raises(ArgumentError, match="expected at most 64 levels"):
        to_bytes(tree)


def archive(members, compression=zipfile.ZIP_STORED):
    """An npz archive with any members; text stands for the JSON, arrays for themselves."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, value in members:
            inner = io.BytesIO()
            array = np.frombuffer(value.encode(), np.uint8) if isinstance(value, str) else value
            np.lib.format.write_array(inner, array, allow_pickle=True)
            file.writestr(f"{name}.npy", inner.getvalue())
    return buffer.getvalue()


NUMBERS = np.arange(4.0)
PCG = {"state": {"dict": [["state", 1], ["inc", 1]]}, "bit_generator": "PCG64", "has_uint32": 0, "uinteger": 0}


def generator(**changes):
    return json.dumps({"generator": {"dict": [[key, value] for key, value in {**PCG, **changes}.items()]}})


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ([], "damaged"),
        ([("tree", "[")], "damaged"),
        ([("tree", "[]"), ("code", NUMBERS)], r"expected members that hold a tree .*'code\.npy'"),
        ([("tree", "[]"), ("../float64", NUMBERS)], "expected members that hold a tree"),
        ([("tree", "[]"), ("float64", NUMBERS)], "expected 0 numbers of float64, got 4"),
        ([("tree", '{"floats":5}'), ("float64", NUMBERS)], "expected 5 more numbers of float64, got 4"),
        ([("tree", '{"floats":-1}'), ("float64", NUMBERS)], "expected a shape"),
        ([("tree", '{"floats":true}'), ("float64", NUMBERS)], "expected a shape"),
        ([("tree", '{"array":["float64","C",[-2,-2]]}'), ("float64", NUMBERS)], "expected a shape"),
        ([("tree", '{"array":["float64","C",[99999999999,99999999999]]}'), ("float64", NUMBERS)], "more numbers"),
        ([("tree", '{"array":["float64","K",[4]]}'), ("float64", NUMBERS)], "expected the order"),
        ([("tree", '{"array":["object","C",[4]]}')], "expected the name of a dtype"),
        ([("tree", '{"array":[["float64"],"C",[4]]}')], "expected the name of a dtype"),
        ([("tree", '{"array":["float64","C",[0' + ",0" * 70 + "]]}")], "at most 32 axes"),
        ([("tree", '{"floats":4}'), ("float64", NUMBERS.astype(np.float32))], "expected a flat array"),
        ([("tree", '{"floats":4}'), ("float64", NUMBERS.reshape(2, 2))], "expected a flat array"),
        ([("tree", '{"floats":4}'), ("float64", np.array([print], dtype=object))], "expected a flat array"),
        ([("tree", "[]"), ("tree", "[]")], "expected each member once"),
        ([("tree", '{"bytes":1}'), ("bool", np.array([7], np.uint8).view(bool))], "truth values"),
        ([("tree", '{"global":"os:system"}')], "expected one of bytes, floats"),
        ([("tree", '{"object":{},"class":"x"}')], "expected nodes of one entry"),
        ([("tree", '{"dict":[["a",1],["a",2]]}')], "expected each key once"),
        ([("tree", '{"dict":[[1.5,1]]}')], "expected each key once"),
        ([("tree", '{"dict":[["a"]]}')], "expected a list of 2"),
        ([("tree", '{"dict":{"a":1}}')], "expected a list"),
        ([("tree", "[" * 100_000)], "damaged"),
        ([("tree", "[" * 100_000 + "]" * 100_000)], "damaged|levels"),
        ([("tree", "[" * 100 + "]" * 100)], "at most 64 levels"),
        ([("tree", "9" * 10_000)], "damaged"),
        ([("tree", generator(bit_generator="Generator"))], "expected the state of a generator"),
        ([("tree", generator(bit_generator="seed"))], "expected the state of a generator"),
        ([("tree", generator(has_uint32=2))], "expected the state of a generator"),
        ([("tree", generator(uinteger=-1))], "expected the state of a generator"),
        ([("tree", generator(more=1))], "expected the state of a generator"),
        ([("tree", '{"generator":3}')], "expected the state of a generator"),
        ([("tree", '{"random_state":3}')], "expected the state of a RandomState"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_was_made_by_hand_is_refused(members, problem):
    with pytest.raises(OutputError, match=problem) as caught:
        from_bytes(archive(members), where="here")
    assert str(caught.value).startswith("here: ")


@pytest.mark.parametrize(("name", "key"), [("MT19937", "pos"), ("Philox", "buffer_pos")])
def test_a_generator_that_would_read_beyond_its_state_is_refused(name, key):
    rng = np.random.Generator(getattr(np.random, name)(1))
    rng.random(3)
    good = bytes(to_bytes(rng))
    text = from_text(good)
    value = int(text.split(f'["{key}",')[1].split("]")[0])
    for bad in (-1, 625):
        members = [("tree", text.replace(f'["{key}",{value}]', f'["{key}",{bad}]')), *pools(good)]
        with pytest.raises(OutputError, match="expected the state of a generator"):
            from_bytes(archive(members))


def from_text(data):
    with np.load(io.BytesIO(data)) as found:
        return found["tree"].tobytes().decode()


def pools(data):
    with np.load(io.BytesIO(data)) as found:
        return [(name, found[name]) for name in found.files if name != "tree"]


def test_a_member_that_nobody_reads_costs_no_memory(tmp_path):
    path = tmp_path / "checkpoint.npz"
    for name in ("unused", "float64"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("tree.npy", b"")
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                for _ in range(64):
                    member.write(bytes(1 << 20))
        tracemalloc.start()
        with pytest.raises(OutputError, match="expected members"):
            read_tree(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


def test_members_that_overlap_are_refused():
    data = archive([("tree", "[" + " " * 5_000 + "]")])
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        size = file.infolist()[0].file_size
    # Ten entries of the directory that all claim the bytes of one member.
    start = data.rindex(b"PK\x01\x02")
    entry, end = data[start : data.rindex(b"PK\x05\x06")], data[data.rindex(b"PK\x05\x06") :]
    names = [b"tree.npy", b"bool.npy", b"int8.npy"]
    entries = b"".join(entry.replace(b"tree.npy", name) for name in names)
    end = end[:8] + (3).to_bytes(2, "little") * 2 + len(entries).to_bytes(4, "little") + end[16:]
    with pytest.raises(OutputError, match=f"together at most .* got {3 * size:,}"):
        from_bytes(data[:start] + entries + end)


def test_more_than_the_limit_is_refused_before_it_is_looked_at(tmp_path):
    data = to_bytes(NUMBERS)
    with pytest.raises(OutputError, match=r"pipe: expected at most 100 bytes, got "):
        from_bytes(data, limit=100, where="pipe")
    with pytest.raises(OutputError, match="expected a file that can be read"):
        read_tree(tmp_path)


def test_pickles_and_damaged_bytes_are_refused():
    data = to_bytes({"a": NUMBERS, "b": "text"})
    for bad in (b"", b"PK", pickle.dumps(NUMBERS), data[:-1], data[:200], b"x" + data[:100]):
        with pytest.raises(OutputError):
            from_bytes(bad)
    rng, refused = np.random.default_rng(0), 0
    for _ in range(200):
        spoiled = bytearray(data)
        spoiled[int(rng.integers(len(data)))] ^= int(rng.integers(1, 256))
        try:
            assert digest(from_bytes(bytes(spoiled))) == digest({"a": NUMBERS, "b": "text"})
        except OutputError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("own", "given", "problem"),
    [
        ({"a": 1}, {"b": 1}, "here: expected dict of 'a', got dict of 'b'"),
        ({"a": [1, 2]}, {"a": [1]}, r"here.a: expected list of 2 entries, got list of 1 entries"),
        ({"a": [1, 2]}, {"a": [1, True]}, r"here.a\[1\]: expected int, got bool"),
        (NUMBERS, NUMBERS[:2], r"expected float64 of shape \(4,\), got float64 of shape \(2,\)"),
        (NUMBERS, NUMBERS.astype(np.float32), "got float32"),
        (np.random.default_rng(0), np.random.Generator(np.random.MT19937(0)), "expected a generator with PCG64"),
    ],
)
def test_trees_of_other_layout_are_refused(own, given, problem):
    check_like(own, own, "here")
    with pytest.raises(OutputError, match=problem):
        check_like(own, given, "here")
