"""NumPy: what it computes of Values is right or an error; functions of the package work on arrays; 0-d is a number."""

from __future__ import annotations

import collections
import functools
import json
import math
import warnings
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, functions, nn, optim
from autograd_mini.core.row import TABLE

np = pytest.importorskip("numpy")

NUMBERS = [0.3, -1.7, 2.5, 0.0, -0.0, 1.0, nan, inf, -inf, 1e300, 5e-324]


def data(thing):
    """The bare numbers behind an array, a list, or one of them, as floats."""
    if isinstance(thing, (list, tuple)):
        thing = np.array([*map(data, thing)])
    if isinstance(thing, np.ndarray):
        flat = [data(element) for element in thing.flat]
        return np.array(flat, dtype=float).reshape(thing.shape)
    return float(thing.data) if isinstance(thing, Value) else float(thing)


def same(got, expected):
    """Equal to the bit but for the last ones of library functions; nan is nan, and -0.0 is not 0.0."""
    got, expected = data(got), np.asarray(expected, dtype=float)
    assert got.shape == expected.shape if isinstance(got, np.ndarray) else expected.shape == ()
    np.testing.assert_allclose(got, expected, rtol=1e-14, atol=0.0)
    zero = np.asarray(got) == 0.0
    assert (np.signbit(got) == np.signbit(expected))[zero].all()


def quietly(function, *args):
    with np.errstate(all="ignore"):
        return function(*args)


def slopes(function, x, step=1e-6):
    """Central differences of a sum of outputs."""
    found = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        found[index] = (np.sum(function(up)) - np.sum(function(down))) / (2.0 * step)
    return found


# -- what NumPy asks: a bare Value is among the operands ---------------------------------------------------------------

UNARY = [
    "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil", "conjugate", "cos",
    "cosh", "deg2rad", "degrees", "exp", "exp2", "expm1", "fabs", "floor", "isfinite", "isinf", "isnan", "log",
    "log10", "log1p", "log2", "logical_not", "negative", "positive", "rad2deg", "radians", "reciprocal", "rint",
    "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
]  # fmt: skip
BINARY = [
    "add", "arctan2", "divide", "equal", "float_power", "floor_divide", "fmax", "fmin", "fmod", "greater",
    "greater_equal", "heaviside", "hypot", "less", "less_equal", "logaddexp", "logical_and", "logical_or",
    "logical_xor", "maximum", "minimum", "multiply", "not_equal", "power", "remainder", "subtract",
]  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_numpys_functions_of_a_value(name):
    """`np.exp(v)` and the like give what they give for the float, nan, infinities and -0.0 included."""
    ufunc = getattr(np, name)
    for number in NUMBERS:
        if name == "exp2" and abs(number) == 5e-324:
            continue
        got = ufunc(Value(number))
        assert type(got) is (bool if name.startswith(("is", "logical")) else Value)
        same(got, quietly(ufunc, np.float64(number)))


@pytest.mark.parametrize("name", BINARY)
def test_numpys_functions_of_arrays_and_a_value(name):
    """With an array on either side operators give what they give for floats, element by element."""
    ufunc = getattr(np, name)
    numbers = np.array(NUMBERS)
    for number in NUMBERS:
        if name in ("floor_divide", "remainder", "float_power", "power", "logaddexp") and (
            number == 0.0 or abs(number) in (inf, 1e300)
        ):
            continue  # there the C library and Python have their own ideas
        for got, expected in (
            (ufunc(numbers, Value(number)), quietly(ufunc, numbers, number)),
            (ufunc(Value(number), numbers), quietly(ufunc, number, numbers)),
            (ufunc(Value(number), [0.3, 2.5]), quietly(ufunc, number, np.array([0.3, 2.5]))),
        ):
            if name in ("floor_divide", "remainder", "logaddexp", "float_power", "power"):
                usual = np.isfinite(expected) & (np.abs(expected) < 1e100) & (expected != 0.0)
                got, expected = got[usual], expected[usual]
            if name in ("maximum", "minimum", "fmax", "fmin"):
                got, expected = data(got) + 0.0, expected + 0.0  # which zero it is differs among NumPy's own loops
            same(got, expected)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda v: np.maximum(v, 0.5), 0.7),
        (lambda v: np.minimum(0.5, v), 0.7),
        (lambda v: np.fmax(v, nan), 0.7),
        (lambda v: np.clip(v, 0.0, 1.0), 0.7),
        (lambda v: np.clip(v, 0.0, None), -0.7),
        (lambda v: np.clip(2.0, 0.0, v), 0.7),
        (lambda v: np.arctan2(1.0, v), 0.7),
        (lambda v: np.arctan2(v, 1.0), 0.7),
        (lambda v: np.hypot(2.0, v), 0.7),
        (lambda v: np.fmod(7.5, v), 0.7),
        (lambda v: np.remainder(7.5, v), 0.7),
        (lambda v: np.logaddexp(v, 1.0), 0.7),
        (lambda v: np.float_power(v, 2.5), 0.7),
        (lambda v: np.divmod(v, 0.4)[1], 0.7),
        (lambda v: np.degrees(v), 0.7),
        (lambda v: np.deg2rad(v), 0.7),
        (lambda v: np.square(v), 0.7),
        (lambda v: np.reciprocal(v), 0.7),
        (lambda v: np.fabs(v), -0.7),
        (lambda v: np.heaviside(v, 0.5) * v, 0.7),
        (lambda v: np.sign(v) * v, -0.7),
        (lambda v: np.where(v > 0.0, v * v, 0.0), 0.7),
        (lambda v: v * (not np.isnan(v)), 0.7),
    ],
)
def test_slopes_of_numpys_functions(function, x):
    """Derivatives agree with finite differences, backwards and forwards."""
    expected = slopes(function, np.array(x))
    assert float(am.grad(function)(x)) == pytest.approx(float(expected), rel=1e-6)
    assert float(am.jvp(function, (x,), (1.0,))[1]) == pytest.approx(float(expected), rel=1e-6)


def test_kinks_are_those_of_the_package():
    """Ties are shared, and bounds of clip have no slope: NumPy's comparison of objects would choose a side."""
    assert am.grad(lambda x: np.maximum(x, 0.0))(0.0) == 0.5
    assert am.grad(lambda x: np.minimum(np.array([0.0, 1.0]), x).sum())(0.0) == 1.5
    assert am.grad(lambda x: np.clip(x, 0.0, 1.0))(1.0) == 0.0
    assert am.grad(lambda x: np.maximum.outer(x, np.array([1.0, 0.0])).sum())(1.0) == 1.5
    assert am.grad(lambda x: np.abs(x))(0.0) == 0.0


def test_reduce_accumulate_outer_at():
    """The methods of NumPy's functions, such as `reduce`, work too."""
    v = Value(1.5)
    same(np.maximum.outer(np.array([[1.0], [nan]]), v), [[1.5], [nan]])
    same(np.subtract.outer(v, np.array([1.0, 2.0])), [0.5, -0.5])
    assert np.maximum.reduce(v) is np.max(v) is np.min(v) is np.sum(v) is v
    target = np.array([Value(1.0), Value(nan), Value(2.0)])
    np.maximum.at(target, [0, 1, 2], v)
    same(target, [1.5, nan, 2.0])
    np.add.at(target, [0, 0], v)
    same(target[0], 4.5)
    with pytest.raises(am.OperandError):
        np.maximum.at(np.array([1.0]), [0], v)
    with pytest.raises(am.OperandError, match="accumulate on a scalar"):
        np.maximum.accumulate(v)


def test_out_where_and_dtype():
    """Results go where NumPy is told to put them, or an error says that floats cannot hold them."""
    v, x = Value(1.5), np.array([1.0, nan, 2.0])
    out = np.zeros(3, dtype=object)
    assert np.maximum(x, v, out=out) is out
    same(out, [1.5, nan, 2.0])
    out = np.full(3, 7.0, dtype=object)
    np.hypot(x, v, out=out, where=np.array([True, False, False]))
    same(out, [math.hypot(1.0, 1.5), 7.0, 7.0])
    mask = np.zeros(3, dtype=bool)
    assert np.less(x, v, out=mask) is mask
    assert mask.tolist() == [True, False, False]
    assert np.isnan(v, out=mask) is mask
    assert not mask.any()
    assert np.maximum(x, v, dtype=object).dtype == object
    for attempt in (
        lambda: np.maximum(x, v, out=np.zeros(3)),
        lambda: np.multiply(x, v, out=np.zeros(3)),
        lambda: np.maximum(x, v, dtype=float),
        lambda: np.multiply(x, v, dtype=float),
        lambda: x.__imul__(v),
    ):
        with pytest.raises(am.OperandError, match=r"(?s)test_arrays.py.*dtype object"):
            attempt()
    same(np.round(v, out=np.zeros((), dtype=object)), 2.0)
    same(np.clip(v, 0.0, 1.0, out=np.zeros((), dtype=object)), 1.0)


def test_what_there_is_no_answer_to_is_an_error():
    """NumPy's functions without a counterpart raise an error that says so, and where."""
    v = Value(1.5)
    for attempt in (
        lambda: np.spacing(v),
        lambda: np.nextafter(v, 2.0),
        lambda: np.modf(v),
        lambda: np.frexp(v),
        lambda: np.bitwise_and(v, 1),
        lambda: np.invert(v),
        lambda: np.maximum(v, "a"),
    ):
        with pytest.raises(am.OperandError, match=r"test_arrays.py"):
            attempt()
    with pytest.raises(ValueError, match="dimensions"):
        np.matmul(v, np.ones(3))
    with pytest.raises(am.ArgumentError, match=r"\(3,\) and \(2,\)"):
        am.maximum(np.ones(3), np.ones(2))


def test_functions_of_the_users_are_left_alone():
    """A ufunc of the user's is called with the numbers, whatever its name; SciPy's that have a counterpart are ours."""
    special = pytest.importorskip("scipy.special")

    def maximum(a, b):
        return a * 10.0 + b

    mine = np.frompyfunc(maximum, 2, 1)
    mine_too = np.frompyfunc(functools.partial(maximum), 2, 1)
    for ufunc in (mine, mine_too):
        same(ufunc(Value(2.0), np.array([1.0, 3.0])), [21.0, 23.0])
    assert special.erf(Value(0.5)).data == math.erf(0.5)
    assert special.erfinv(Value(0.5)).data == am.erfinv(0.5)
    same(special.xlogy(np.array([0.0, 2.0]), Value(3.0)), [0.0, 2.0 * math.log(3.0)])
    with pytest.raises(am.OperandError):
        special.j0(Value(0.5))


def test_comparisons_with_nan_leave_no_alarm():
    """NumPy finds no floating-point alarm that Python's comparisons left, whatever `errstate` and warnings are."""
    x = np.array([1.0, nan])
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        np.maximum(x, Value(1.0)), Value(nan) < x, np.isnan(Value(nan)), np.floor_divide(x, Value(0.0))


# -- object arrays: NumPy's own loops, which ask for methods -----------------------------------------------------------

X = np.array([0.3, -1.7, 2.6, 0.8])
Y = np.array([1.1, 0.4, -0.9, 2.2])
ARRAYS = {
    "abs": np.abs, "fabs": np.fabs, "square": np.square, "reciprocal": np.reciprocal, "degrees": np.degrees,
    "radians": np.radians, "conj": np.conj, "real": np.real, "sign": lambda v: np.sign(v) * v,
    "floor": lambda v: np.floor(v) * v, "ceil": lambda v: np.ceil(v) * v, "trunc": lambda v: np.trunc(v) * v,
    "rint": lambda v: np.rint(v) * v, "round": lambda v: np.round(v, 1) * v,
    "maximum": lambda v: np.maximum(v, Y), "minimum": lambda v: np.minimum(v, Y),
    "clip": lambda v: np.clip(v, -1.0, 1.0),
    "arctan2": lambda v: np.arctan2(v, Y), "hypot": lambda v: np.hypot(v, Y), "fmod": lambda v: np.fmod(v, Y),
    "remainder": lambda v: np.remainder(v, Y), "sum": np.sum, "prod": np.prod, "mean": np.mean, "var": np.var,
    "std": np.std, "ddof": lambda v: np.var(v, ddof=1), "average": lambda v: np.average(v, weights=Y),
    "median": np.median, "max": np.max, "ptp": np.ptp, "sort": lambda v: np.sort(v) * Y,
    "cumsum": lambda v: np.cumsum(v) * Y, "cumprod": np.cumprod, "diff": lambda v: np.diff(v) * Y[1:],
    "dot": lambda v: np.dot(v, Y), "vdot": lambda v: np.vdot(v, v), "inner": lambda v: np.inner(v, Y),
    "outer": lambda v: np.outer(v, v), "matmul": lambda v: v.reshape(2, 2) @ Y.reshape(2, 2),
    "einsum": lambda v: np.einsum("i,j->ij", v, Y), "kron": lambda v: np.kron(v, Y),
    "cross": lambda v: np.cross(v[:3], Y[:3]),
    "convolve": lambda v: np.convolve(v, Y), "polyval": lambda v: np.polyval([1.0, 2.0, 3.0], v),
    "where": lambda v: np.where(v > 0.0, v * v, -v), "norm": np.linalg.norm, "norm1": lambda v: np.linalg.norm(v, 1),
    "norms": lambda v: np.linalg.norm(v.reshape(2, 2), axis=1), "stack": lambda v: np.stack([v, Y]) * 2.0,
    "roll": lambda v: np.roll(v, 1) * Y, "trace": lambda v: np.trace(np.outer(v, v)), "nansum": np.nansum,
    "apply": lambda v: np.apply_along_axis(np.prod, 1, v.reshape(2, 2)),
    "matrix_power": lambda v: np.linalg.matrix_power(v.reshape(2, 2), 3),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_numpys_functions_of_arrays_of_values(name):
    """Values are those of floats, derivatives those of finite differences."""
    function = ARRAYS[name]
    got = function(np.array([Value(x) for x in X]))
    np.testing.assert_allclose(data(got), function(X), rtol=1e-12, atol=1e-15)
    gradient = am.grad(lambda v: np.sum(function(v)))(X)
    np.testing.assert_allclose(gradient, slopes(function, X), rtol=1e-5, atol=1e-7)
    tangent = am.jvp(lambda v: np.sum(function(v)), (X,), (Y,))[1]
    assert tangent == pytest.approx(gradient @ Y, rel=1e-12)


@pytest.mark.parametrize("name", ["arctan2", "hypot", "fmod", "isnan", "logaddexp", "float_power", "heaviside"])
def test_what_numpy_does_not_ask_about_is_an_error_not_a_wrong_answer(name):
    """Of float arrays and object arrays, without a bare Value, some of NumPy's functions raise; README names ours."""
    values = np.array([Value(1.0)])
    with pytest.raises((TypeError, AttributeError)):
        getattr(np, name)(values) if name == "isnan" else getattr(np, name)(np.array([1.0]), values)


# -- functions of the package on arrays --------------------------------------------------------------------------------

PUBLIC = [row for row in TABLE.values() if row.is_public and not row.is_users]
SINGLE = [*(row.name for row in PUBLIC if row.arity == 1), *functions.ACTIVATIONS, "stop_gradient"]
DOUBLE = [*(row.name for row in PUBLIC if row.arity in (2, None)), "logaddexp"]
shapes = st.sampled_from([(), (1,), (3,), (2, 3), (2, 1), (0,), (2, 0)])


@given(st.data(), st.sampled_from(SINGLE + DOUBLE + ["clip", "where", "elu with settings"]))
def test_functions_work_element_by_element(draw, name):
    """On arrays of floats, integers or Values a function does what it does on each, with NumPy's broadcasting."""
    count = 1 if name in SINGLE else 2 if name in DOUBLE or name.startswith("elu") else 3
    function = am.elu if name.startswith("elu") else getattr(am, name)
    chosen = [draw.draw(shapes) for _ in range(count)]
    try:
        shape = np.broadcast_shapes(*chosen)
    except ValueError:
        with pytest.raises(am.ArgumentError, match="broadcast together"):
            function(*[np.ones(s) for s in chosen])
        return
    numbers = st.sampled_from([0.5, -0.5, 1.0, 0.0, -0.0, 2.5, nan, inf, 3, True])
    arguments = []
    for s in chosen:
        size = math.prod(s)
        flat = [draw.draw(numbers) for _ in range(size)]
        if draw.draw(st.booleans()):
            flat = [Value(x) if draw.draw(st.booleans()) else x for x in flat]
        array = np.empty(size, dtype=object)
        array[:] = flat
        plain = not any(type(x) is Value for x in flat)
        arguments.append((array.astype(float) if plain and draw.draw(st.booleans()) else array).reshape(s))
    got = function(*arguments)
    rows = zip(*[np.broadcast_to(a, shape).flat for a in arguments], strict=True)
    expected = [function(*row) for row in rows]
    if shape == ():
        assert not isinstance(got, np.ndarray) or name == "stop_gradient"
        got = np.array([got if not isinstance(got, np.ndarray) else got[()]])
    else:
        assert got.shape == shape
    assert [type(x) is Value for x in got.flat] == [type(x) is Value for x in expected]
    assert repr([getattr(x, "data", x) if type(x) is Value else float(x) for x in got.flat]) == repr(
        [x.data if type(x) is Value else float(x) for x in expected]
    )
    if all(type(x) is not Value for x in expected) and name != "stop_gradient":
        assert got.dtype == float


def test_arrays_and_values_mix():
    """A Value beside an array, on either side, is broadcast; gradients come back in the shape of the argument."""
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    for function in (
        lambda a: am.maximum(a, 0.7),
        lambda a: am.maximum(0.7, a[0, 0], a),
        lambda a: am.where(a > 0.0, a * a, -a),
        lambda a: am.where(np.array([True, False]), a, a[0, 0]),
        lambda a: am.clip(a, -1.0, a[1, 1]),
        lambda a: am.atan2(a, np.array([1.0, 2.0])),
        lambda a: am.hypot(a, a[:, :1], 2.0),
        lambda a: am.leaky_relu(a, slope=a[0, 0]),
        lambda a: am.elu(a, np.array([1.0, 2.0])),
        lambda a: am.logaddexp(a[0, 0], a),
        lambda a: am.sigmoid(a) * am.exp(np.array(a[0, 1])),
        lambda a: am.Value.maximum(a[0, 0], Y[:2]) if isinstance(a[0, 0], Value) else np.maximum(a[0, 0], Y[:2]),
    ):  # fmt: skip
        gradient = am.grad(lambda a, f=function: np.sum(f(a)))(x)
        assert gradient.shape == x.shape
        np.testing.assert_allclose(gradient, slopes(function, x), rtol=1e-6, atol=1e-8)
        tangent = am.jvp(lambda a, f=function: np.sum(f(a)), (x,), (np.ones((2, 2)),))[1]
        assert tangent == pytest.approx(gradient.sum(), rel=1e-12)
    assert am.jacobian(am.sigmoid)(x).shape == (2, 2, 2, 2)
    assert am.hessian(lambda a: am.exp(a).sum())(x)[0, 1, 0, 1] == pytest.approx(math.exp(-2.0))


def test_forward_mode_takes_arrays():
    """A dual number beside an array is broadcast too."""
    one = np.array([1.0, 3.0])
    for function in (lambda x: am.maximum(x, one), lambda x: am.atan2(one, x), lambda x: np.hypot(one, x)):
        value, tangent = am.jvp(function, (2.0,), (1.0,))
        np.testing.assert_allclose(value, function(2.0))
        np.testing.assert_allclose(tangent, am.jacobian(function)(2.0))


def test_formulas_take_arrays():
    """Traced numbers and SymPy expressions are elements like all others."""
    sympy = pytest.importorskip("sympy")
    x = sympy.Symbol("x", real=True)
    assert am.exp(np.array([x, 0.0])).tolist() == [sympy.exp(x), 1.0]
    assert am.atan2(x, np.array([1.0, 2.0])).tolist() == [sympy.atan2(x, 1), sympy.atan2(x, 2)]
    chosen = am.symbolic.formula(lambda t: am.sum(am.where(t > 0.0, np.array([t, 1.0]), 2.0)), "x").value
    (t,) = chosen.free_symbols
    assert (chosen.subs(t, 3), chosen.subs(t, -3)) == (4, 4)
    found = am.symbolic.formula(lambda t: am.sum(am.pow(t, np.array([2.0, 3.0]))), "x")
    assert sympy.simplify(found.value - (sympy.Symbol("x", real=True) ** 2 + sympy.Symbol("x", real=True) ** 3)) == 0


def test_primitives_of_the_users_take_arrays():
    """A row that is added at run time applies element by element like any other, its default operands included."""
    try:

        @am.primitive(rule=lambda y, x, k: (k, am.ZERO))
        def scaled_in_test_arrays(x, k=2.0):
            return x * k

        assert scaled_in_test_arrays(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]
        assert am.grad(lambda a: scaled_in_test_arrays(a, 3.0).sum())(np.ones(2)).tolist() == [3.0, 3.0]
    finally:
        TABLE.pop("scaled_in_test_arrays", None)


def test_places_of_elements():
    """An operation on an array comes from the user's expression, as it does on a number."""
    x = np.array([Value(1.0)])
    with am.provenance(), am.kinks() as report:
        nodes = am.exp(x)[0], am.relu(x)[0], np.maximum(Value(1.0), np.array([1.0]))[0], am.maximum([Value(1.0), 2.0])
    texts = [node.origin.expression for node in nodes]
    assert texts[:3] == ["am.exp(x)", "am.relu(x)", "np.maximum(Value(1.0), np.array([1.0]))"]
    assert texts[3] == "am.maximum([Value(1.0), 2.0])"
    assert [(kink.op, kink.chosen) for kink in report] == [("maximum", (0.5, 0.0))]
    with pytest.raises(am.NonFiniteError, match=r"am.log\(x - 2.0\)"), am.checked():
        am.log(x - 2.0)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array(["a"]), "not str_"),
        (np.array([1j]), "not complex128"),
        (np.array(["2020-01-01"], dtype="M8[ns]"), "not datetime64"),
        (np.array([1], dtype="m8[ns]"), "not timedelta64"),
        (np.array([None]), "return"),
        (np.zeros(1, dtype=[("a", float)]), "not void"),
        (np.array([[1.0], [2.0, 3.0]], dtype=object), "not list"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), "compressed"),
        (np.array(["1e400"], dtype=np.longdouble), "beyond the range"),
    ],
)
def test_arrays_of_something_else_are_refused(array, message):
    """Dates, text, complex numbers, records and masked arrays are errors, never numbers."""
    if array.dtype == np.longdouble and np.finfo(np.longdouble).max == np.finfo(float).max:
        return
    with pytest.raises((am.OperandError, am.RangeError), match=message) as caught:
        am.exp(array)
    assert "test_arrays.py" in str(caught.value)
    with pytest.raises((am.OperandError, am.RangeError, TypeError)):
        data(Value(1.0) * array if message != "compressed" else am.maximum(1.0, array))
    with pytest.raises((am.OperandError, am.RangeError), match=message):
        am.sum([*map(am.exp, array)]) if message != "compressed" else am.mean(array)
    if message not in ("return", "not void", "not list"):
        with pytest.raises((am.OperandError, am.RangeError), match=message):
            am.grad(lambda a: am.exp(a).sum())(array)


def test_dates_beside_a_value():
    """NumPy turns dates in nanoseconds into integers; beside a Value they are refused, and equal to none."""
    v, spans = Value(1.0), np.array([1, 2], dtype="m8[ns]")
    for attempt in (lambda: np.maximum(spans, v), lambda: v * spans, lambda: np.hypot(v, spans), lambda: v < spans):
        with pytest.raises(TypeError):
            attempt()
    with pytest.raises(am.OperandError, match=r"(?s)timedelta64.*test_arrays\.py"):
        np.maximum(v, spans)
    assert (v == np.array(["a"])).tolist() == [False]


def test_settings_in_arrays_at_a_kink():
    """Each setting makes an activation of its own, with a kink of its own."""
    with am.kinks() as report:
        am.leaky_relu(Value(0.0), np.array([0.1, 1.0, 0.5]))
    assert [kink.chosen for kink in report] == [(0.1,), (0.5,)]


def test_narrow_and_wide_types():
    """float16, float32, long doubles, integers and bools of arrays become floats, exactly."""
    for kind in (np.float16, np.float32, np.longdouble, np.int8, np.uint64, bool):
        x = np.array([0, 1], dtype=kind)
        got = am.exp(x)
        assert got.dtype == float
        assert got.tolist() == [1.0, math.e]
        assert (Value(3.0) * x).tolist()[1].data == 3.0
    assert am.sum(np.array([0.1] * 10, dtype=np.float32)) == am.sum([float(np.float32(0.1))] * 10)
    assert am.sum([np.float32(0.1)] * 2) == 2 * float(np.float32(0.1))
    assert am.sum(np.array([2**62, 2**62])) == am.sum([np.int64(2**62)] * 2) == 2**63

    class Mine(np.ndarray):
        pass

    assert am.exp(np.zeros(2).view(Mine)).tolist() == [1.0, 1.0]


# -- functions of a list -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sum", "mean", "maximum", "minimum", "norm", "logsumexp", "softmax", "log_softmax"])
def test_any_one_dimensional_iterable(name):
    """Lists, tuples, generators, arrays, deques and views of dicts are treated alike; NumPy goes through rows."""
    function = getattr(am, name)
    numbers = [0.5, -1.5, 2.0]
    expected = function(numbers)
    for xs in (tuple(numbers), (x for x in numbers), np.array(numbers), collections.deque(numbers),
               dict(enumerate(numbers)).values(), np.array(numbers, dtype=object), np.array(numbers, dtype=np.float32),
               [np.array(x) for x in numbers]):  # fmt: skip
        assert function(xs) == expected
    values = function(np.array([Value(x) for x in numbers]))
    assert np.asarray(data(values)).tolist() == expected
    for table in (np.array([numbers, numbers]), np.array([[Value(x) for x in numbers]] * 2)):
        with pytest.raises(
            am.OperandError, match=rf"(?s)one dimension.*apply_along_axis\(autograd_mini.{name}, 1, a\)"
        ):
            function(table)
        rows = np.apply_along_axis(function, 1, table)
        assert data(rows).tolist() == [expected, expected]
    with pytest.raises(am.OperandError, match=r"d.values\(\)"):
        function({1: 2.0})
    if name in ("softmax", "log_softmax"):
        with pytest.raises(am.OperandError, match="no order"):
            function(set(numbers))
    else:
        assert function(set(numbers)) == pytest.approx(expected)
    if name != "sum":  # which adds lists as the builtin does
        with pytest.raises(am.OperandError, match="element 0"):
            function([[1.0, 2.0], [3.0]])
        for empty in ([], np.array([]), iter(())):
            with pytest.raises(am.ArgumentError, match=r"(?s)empty.*test_arrays.py"):
                function(empty)


def test_the_largest_of_one_iterable():
    """`maximum(xs)` equals `maximum(*xs)`, nan and ties included; for an empty list it is an error."""
    assert math.isnan(am.maximum(np.array([1.0, nan])))
    assert am.grad(am.maximum)([1.0, 1.0]) == [0.5, 0.5]
    assert am.grad(am.minimum)(np.array([2.0, 1.0])).tolist() == [0.0, 1.0]
    assert am.maximum(3) == am.maximum(np.array(3)) == 3.0
    v = Value(1.0)
    assert am.maximum(v).data == 1.0
    with pytest.raises(am.ArgumentError, match=r"(?s)got no arguments.*test_arrays.py"):
        am.maximum()
    with pytest.raises(am.ArgumentError):
        am.minimum()
    with pytest.raises(am.OperandError, match="not 'abc'"):
        am.maximum("abc")
    with pytest.raises(am.OperandError, match="not list"):
        am.maximum([1.0], [2.0])


def test_losses_take_arrays():
    """One-dimensional arrays are lists, arrays without dimensions single numbers."""
    p, t = np.array([0.5, 2.0]), np.array([1, -1])
    for loss in (am.mse, am.mae, am.huber, am.hinge):
        assert loss(p, t) == loss(p.tolist(), t.tolist())
        assert loss(np.array(0.5), np.array(1)) == loss(np.array(Value(0.5)), 1).data == loss(0.5, 1)
        with pytest.raises(am.OperandError, match="one dimension"):
            loss(np.ones((2, 2)), np.ones((2, 2)))
    assert am.binary_cross_entropy(p, np.array([True, False])) == am.binary_cross_entropy(p.tolist(), [1, 0])
    assert am.cross_entropy(p, np.array(1)) == am.cross_entropy(p, np.array([0.0, 1.0])) == am.nll(am.log_softmax(p), 1)
    assert am.dot(p, t) == -1.5


# -- rounding ----------------------------------------------------------------------------------------------------------


@given(st.floats(), st.integers(-5, 5))
def test_rounding(x, digits):
    """`round`, `math.ceil` and their like give what they give on floats, as Values without a slope; -0.0 is kept."""
    v = Value(x)
    if math.isfinite(x):
        assert round(v, digits).data == round(x, digits)
        assert round(v).data == round(v, None).data == round(x)
        assert math.ceil(v).data == math.ceil(x)
        assert math.floor(v).data == math.floor(x)
        assert math.trunc(v).data == math.trunc(x)
    for ours, numpys in ((math.ceil, np.ceil), (math.trunc, np.trunc), (math.floor, np.floor), (round, np.rint)):
        same(ours(v), numpys(x))
        same(numpys(v), numpys(x))
        result = ours(v) * v
        result.backward()
        if math.isfinite(x) and abs(x) < 1e150:
            assert v.grad == ours(v).data
        v.grad = None


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3).filter(bool))
def test_divmod(x, y):
    """`divmod` is floor division and remainder, with a number on either side."""
    expected = divmod(x, y)
    for pair in (divmod(Value(x), y), divmod(x, Value(y)), divmod(Value(x), Value(y)), np.divmod(Value(x), y)):
        assert tuple(part.data for part in pair) == expected


def test_rounding_jumps_are_reported():
    """A point where a rounding jumps is a kink, and no other is."""
    for jump, where, beside in (
        (math.ceil, 2.0, 2.5),
        (math.trunc, -1.0, 0.0),
        (round, 0.5, 1.0),
        (math.trunc, 3.0, -2.5),
    ):
        with am.kinks() as report:
            jump(Value(where))
        assert len(report) == 1, (jump, report)
        with am.kinks() as report:
            jump(Value(beside))
        assert not report
    found = am.symbolic.formula(lambda x: round(x) + 10 * math.trunc(x) + 100 * math.ceil(x), "x").value
    (x,) = found.free_symbols
    for number in (2.5, 3.5, -2.5, -0.5, 0.25, 2.0):
        assert found.subs(x, number) == round(number) + 10 * math.trunc(number) + 100 * math.ceil(number)


# -- arrays without dimensions, NumPy's numbers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "two", [np.array(2.0), np.array(2), np.float32(2.0), np.int8(2), np.float16(2), np.longdouble(2)]
)
def test_zero_dimensional_arrays_are_numbers(two):
    """They work wherever a number does: leaves, operators, functions, gradients, settings, arguments of transforms."""
    v = Value(two)
    assert type(v.data) is float
    for result in (v * two, two * v, v + two, two - v, v / two, two**v, v**two, v // two, two % v, am.pow(v, two),
                   am.maximum(two, v), am.where(two, v, two), am.sum([two, v]), np.hypot(v, two),
                   am.mse(v, two)):  # fmt: skip
        assert type(result) is Value
        assert type(result.data) is float
    assert (v == two, v < two, v >= two) == (True, False, True)
    assert type(am.exp(two)) is type(am.sigmoid(two)) is type(am.maximum(two, 1.0)) is float
    v.data = two
    v.grad = two
    (v * v).backward(two)
    assert v.grad == 10.0
    assert type(v.grad) is float
    assert am.huber(5.0, 0.0, delta=two) == am.huber(5.0, 0.0, delta=2.0)
    assert am.leaky_relu(-1.0, two) == -2.0
    for f, expected in ((lambda x: x * x * x, 12.0), (lambda x: np.array(x * x * x), 12.0)):
        assert am.grad(f)(two) == expected
        assert am.jacobian(f)(two) == expected
        assert am.hessian(f)(two) == 12.0
        assert am.jvp(f, (two,), (two,)) == (8.0, 24.0)
        assert am.hvp(f, (two,), (np.array(1.0),)) == 12.0
        y, pullback = am.vjp(f, two)
        assert y == 8.0
        assert pullback(1.0) == pullback(np.array(1.0)) == pullback(np.float32(1.0)) == (12.0,)


def test_vjp_of_a_result_without_dimensions():
    """The pullback takes a number, an array without dimensions, and its own value, nested too."""

    def f(x):
        return np.tensordot(np.array([x, x]), np.array([1.0, 2.0]), 1)

    def squared(x):
        y, pullback = am.vjp(f, x)
        return pullback(y)[0]

    y, pullback = am.vjp(f, 3.0)
    assert pullback(1.0) == pullback(np.array(1.0)) == (3.0,)
    assert pullback(y) == (27.0,)
    assert squared(3.0) == 27.0
    assert am.grad(squared)(3.0) == 9.0
    with pytest.raises(am.ArgumentError, match="cotangent"):
        pullback(np.ones(1))


def test_a_cotangent_made_of_the_result():
    """`pullback(y)` is y times the slope: y is a factor there, in every order and mode of differentiation."""

    def product(x):  # x³ · 3x², and sin x · cos x
        y, pullback = am.vjp(lambda t: [t**3, am.sin(t), 5.0], x)
        return pullback(y)[0]

    x = 1.3
    values = [
        3.0 * x**5 + math.sin(2.0 * x) / 2.0,
        15.0 * x**4 + math.cos(2.0 * x),
        60.0 * x**3 - 2.0 * math.sin(2.0 * x),
    ]
    assert product(x) == pytest.approx(values[0], rel=1e-14)
    assert am.value_and_grad(product)(x) == pytest.approx(tuple(values[:2]), rel=1e-14)
    assert am.jvp(product, (x,), (1.0,)) == pytest.approx(tuple(values[:2]), rel=1e-14)
    assert am.grad(am.grad(product))(x) == pytest.approx(values[2], rel=1e-14)
    assert am.jvp(am.grad(product), (x,), (1.0,)) == pytest.approx(tuple(values[1:]), rel=1e-14)


def test_numpy_numbers_as_sizes_seeds_and_settings():
    """Networks and optimizers take NumPy's numbers as sizes, seeds and settings, and save plain JSON."""
    expected = nn.MLP(2, [3, 1], seed=1).state_dict()
    for model in (
        nn.MLP(np.int64(2), np.array([3, 1]), seed=np.int64(1)),
        nn.MLP(2, (n for n in (3, 1)), seed=np.array(1)),
    ):
        assert model.state_dict() == expected
        assert len(model(np.array([1.0, 2.0])).operands) == 2
    for attempt in (
        lambda: nn.MLP(2.5, [1]), lambda: nn.MLP(2, [1.5]), lambda: nn.MLP(2, np.ones((1, 1), int)),
        lambda: nn.MLP(2, [1], seed=1.5), lambda: nn.Neuron("2"),
    ):  # fmt: skip
        with pytest.raises(am.OperandError, match="whole number"):
            attempt()
    with pytest.raises(am.ArgumentError, match="nouts"):
        nn.MLP(2, np.array([], dtype=int))
    for make in (
        lambda p: optim.SGD(p, lr=np.array(0.5), momentum=np.float32(0.5), weight_decay=np.float16(0.0)),
        lambda p: optim.Adam(p, lr=np.float32(0.5), betas=np.array([0.5, 0.75]), eps=np.array(1e-8)),
    ):
        x = Value(1.0)
        descent = make([x])
        (x * x).backward()
        descent.step()
        json.dumps(descent.state_dict())
        assert type(x.data) is type(descent.lr) is float
    with pytest.raises(am.ArgumentError, match="lr"):
        optim.SGD([Value(1.0)], lr=np.array([0.1, 0.2]))
    assert am.grad(lambda a, b: a * b, argnums=np.int64(1))(2.0, 3.0) == 2.0


def test_masked_arrays_are_refused():
    """A mask is never dropped in silence; NumPy's own functions and operators keep it, and aux passes as it is."""
    masked, v = np.ma.array([1.0, 2.0], mask=[False, True]), Value(3.0)
    for attempt in (
        lambda: am.exp(masked), lambda: am.maximum(v, masked), lambda: am.maximum(np.ones(2), masked),
        lambda: am.sum(masked), lambda: am.softmax(masked), lambda: am.sigmoid(masked), lambda: am.mse(masked, masked),
        lambda: Value(np.ma.masked), lambda: am.grad(lambda a: a.sum())(masked),
        lambda: am.jvp(lambda a: a[0], ([1.0, 2.0],), ([1.0, np.ma.masked],)),
    ):  # fmt: skip
        with pytest.raises(am.OperandError, match="Masked"):
            attempt()
    for result in (masked * v, v * masked, np.maximum(masked, v), np.add(v, masked)):
        assert result.mask.tolist() == [False, True]
        assert data(result[0]) in (3.0, 4.0)
    assert am.grad(lambda x: (x * x, masked), has_aux=True)(3.0)[1] is masked


def test_classes_that_look_like_arrays():
    """Objects that merely convert to an array are refused with advice; the column names of a table are not read."""

    class Series:
        shape = (2,)

        def __array__(self, dtype=None, copy=None):
            return np.array([1.0, 2.0])

    class Table(Series):
        shape = (2, 2)

        def __iter__(self):
            return iter([0, 1])

    for function in (am.exp, am.sigmoid, am.relu, lambda x: am.maximum(x, 1.0), am.grad(lambda x: 0.0)):
        with pytest.raises(am.OperandError, match=r"numpy.asarray\(x\)"):
            function(Series())
    for function in (am.sum, am.mean, am.maximum, am.softmax):
        with pytest.raises(am.OperandError, match="one dimension"):
            function(Table())
