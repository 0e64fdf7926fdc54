"""The pytest plugin of tinycnn, for projects that test gradients of their own: a fixture, and a marker with its settings.

    def test_my_layer(gradcheck):
        gradcheck(MyLayer, (4, 3), (3, 2))                  # shapes, or arrays

    @pytest.mark.gradcheck(tol=1e-6, seeds=range(5))
    def test_my_other_layer(gradcheck):
        ...

It lies beside the package, not in it, because pytest loads it in every project on a machine where tinycnn is installed: the
package is imported when a test asks for the fixture, and not before.
"""
import pytest

DEFAULTS = dict(tol=1e-7, seeds=(0,))


def pytest_configure(config):
    config.addinivalue_line("markers", "gradcheck(tol=1e-7, seeds=(0,)): how exactly the fixture `gradcheck` of tinycnn "
                                       "compares, and from which seeds it draws inputs and upstream gradients")


@pytest.fixture
def gradcheck(request):
    """`tinycnn.gradcheck` as an assertion: `gradcheck(fn, *inputs, **options)` fails with the report as its message.

    An input that is a tuple of whole numbers is a shape, from which standard normal numbers are drawn; other inputs and all
    options are those of `tinycnn.gradcheck`. Returns the report on the last seed.
    """
    marker = request.node.get_closest_marker("gradcheck")
    given = marker.kwargs if marker else {}
    if marker and (marker.args or given.keys() - DEFAULTS):
        raise TypeError(f"pytest.mark.gradcheck: takes {' and '.join(DEFAULTS)}, by name, got {marker.args or given}")
    wishes = DEFAULTS | given

    def check(fn, *inputs, tol=wishes["tol"], **options):
        __tracebackhide__ = True
        import numpy as np
        import tinycnn

        for seed in [options.pop("seed")] if "seed" in options else wishes["seeds"]:
            rng = np.random.default_rng(seed)
            drawn = [rng.standard_normal(v) if _is_shape(v) else v for v in inputs]
            report = tinycnn.gradcheck(fn, *drawn, tol=tol, seed=seed, **options)
            if not report:
                raise AssertionError(str(report))
        return report
    return check


def _is_shape(value):
    return isinstance(value, tuple) and all(type(n) is int for n in value)
