"""Every Function at extremes in float64, by its formulas, against PyTorch: values, gradients, and what is refused.

Where ours is another, `DIFFERENCES` says why; a reason there that nothing needs any more is an error, too.
"""
import pytest

import tinycnn
from tests.gradcheck.test_extremes import each_function
from tests.helpers.extremes import explained, failures_of
from tinycnn.gradcheck.extremes import UNHARMED, apart, outcome

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

CRASHES = {"GridSample": ("huge", "infinite", "nan")}  # reflected, they are places outside of memory, which PyTorch reads

SLOPE = "the value is NaN, and the slope there a convention: one of the sides, or NaN"
LIMIT = "the limit is taken, where PyTorch divides infinities or zeros, or multiplies them"
RANGE = "an intermediate result of PyTorch's leaves the range, and none of ours"
BEYOND = "an intermediate result of both leaves the range; what remains is 0, infinite or NaN"
TIES = "of equal numbers, another one is chosen"
WEIGHT = "the mean by weights that are infinite, NaN or all 0 is NaN; for the gradients, the sum of the others is taken as 1"
EMPTY = "nothing has no mean, no window and no place: refused"
SINGULAR = "the gradient of a determinant is that of its logarithm, which a singular matrix does not have: refused"
DIFFERENCES = [
    ("Abs Attention Clamp ELU Extreme Hardsigmoid Hardswish Hardtanh LogDet Maximum Minimum Norm ReLU ScatterExtreme "
     "Staircase", "nan", "float64", SLOPE),
    ("Cumprod Einsum LogCumSumExp LogSumExp Normalize Polygamma Prod Std SyncNormalize Var", "infinite", "float64", LIMIT),
    ("Cumprod Prod", "nan", "float64", "the slope by a factor is the product of the others: NaN in it does not matter"),
    ("LogSumExp", "equal one", "float64", LIMIT), ("Acosh LogDet", "infinite", "float64", "not in the domain, or singular"),
    ("Asinh Acosh Atan2 BCEWithLogits GELU LogCumSumExp LogSumExp", "huge", "float64", RANGE),
    ("Atan2 Div", "tiny", "float64", RANGE),
    ("Cumprod Einsum LogDet MatMul Norm Normalize Polygamma", "huge", "float64", BEYOND),
    ("SVD", "infinite", "float64", "what is not finite is refused"), ("SVD", "huge tiny", "float64", RANGE),
    ("SVD", "zeros", "float64", "of equal singular values PyTorch divides by their difference, 0"),
    ("SVD", "equal", "float64", "some singular values are 0: their vectors, and so slopes, are LAPACK's choice"),
    ("Pinv", "infinite", "float64", "a matrix is refused; PyTorch makes NaN of a right-hand side"),
    ("Pinv", "nan", "float64", "PyTorch's solver fails over NaN on the right-hand side"),
    ("Pinv", "tiny", "float64", BEYOND),
    ("Inverse Norm Solve Std", "tiny", "float64", BEYOND), ("Var", "one", "float64", "0 / 0 is NaN in the gradient, too"),
    ("BCEWithLogits", "infinite", "float64", "0 times an infinite target or score, in the term of pos_weight"),
    ("BinaryCrossEntropy", "tiny zeros", "float64", "PyTorch rounds the least divisor, 1e-12, to float32; logarithms are at "
                                                    "least -100 in the gradient of the target, too"),
    ("CrossEntropy NegativeLogLikelihood", "infinite nan zeros", "float64", WEIGHT),
    ("GetItem", "equal zeros", "float64", TIES),
    ("ScatterExtreme", "zeros", "float64", "PyTorch counts x among the winners, even where it is not included"),
    ("LogDet", "equal zeros", "float64", SINGULAR),
    ("SyncNormalize", "empty", "float64", "what holds no numbers on all ranks together is refused"),
    ("Polygamma", "equal one", "float64", "PyTorch's trigamma is right to 1e-9 only"),
    ("Interpolate", "infinite nan", "float64", "neighbours with the weight 0 are read: 0 times infinity"),
    ("AdaptiveAvgPool Conv ConvTranspose GetItem SetItem", "empty", "float64", EMPTY),
    ("Normalize", "empty", "float64", "the gradient of a weight, a sum of nothing, is 0, and NaN in PyTorch"),
    ("AddItem AvgPool BorderPad GetItem", "one", "float64", "one of the two is stricter with sizes that do not fit"),
    ("AddItem", "empty", "float64", "PyTorch's backward fails where the index is smaller than what is added"),
    ("Conv", "one", "float64", "the case pads for PyTorch, by the width for its own kernel"),
]


@pytest.mark.filterwarnings("ignore")  # PyTorch's, about what is empty or of one element
@each_function
def test_values_and_gradients_at_extremes_are_pytorchs(function):
    def differs(case, kind):
        if kind in CRASHES.get(function.__name__, ()):
            return ""
        with tinycnn.plainly():
            ours = outcome(case, "float64")
        theirs = outcome(case, "float64", t=torch, call=case.torch)
        if isinstance(theirs, Exception) and not isinstance(ours, Exception) and not all(a.size for a in ours):
            return ""  # PyTorch refuses many empty tensors
        return apart(ours, theirs, 1e-10, kind in UNHARMED)
    explained(failures_of(function, "float64", differs), function, "float64", DIFFERENCES)
