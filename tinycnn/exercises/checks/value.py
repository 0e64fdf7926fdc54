"""Checks of the numbers that know their derivatives."""
import math

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Numbers that know their derivatives", lecture=1, minutes=60,
    hints=("Each operation makes a Value of three things: the number, the tuple of its parents, and the tuple of its "
           "derivatives along each parent, which are plain numbers. For a + b they are 1 and 1.",
           "The slope of a * b along a is b, and that of a ** n is n * a ** (n - 1). In backward, += adds what each use "
           "contributes; = would forget the other uses.",
           "backward: visit(v) marks v as seen, visits its parents that are not yet seen, then appends v to a list. "
           "Set every grad in it to 0 and self.grad = 1, and walk it from its end: for parent, slope: "
           "parent.grad += slope * v.grad."))

LATE = ("lacks what arrived too late: a number handed its gradient on before all its uses had added theirs (walk the "
        "numbers in an order with parents first, from its end)")
TWICE = "counts some uses twice: no number may be visited twice"
ALONE = "is the slope of one operation alone: multiply the slopes along the chain, slope * value.grad"
OVERWRITTEN = "counts only one of several uses of a: the parts of all uses add up, with += and not ="


def run(student, text, **numbers):
    """(y.data, grad of each number) after y.backward(), where y is `text` among Values."""
    lines = [f"{name} = Value(numbers[{name!r}])" for name in numbers]
    lines += ["tanh = lambda value: value.tanh()", text, "y.backward()",
              f"result = (y.data, {', '.join(f'{name}.grad' for name in numbers)})"]
    return student.run("\n".join(lines), numbers=numbers)


def value(text, numbers):
    """The same y, among plain numbers."""
    space = {"tanh": math.tanh, **numbers}
    exec(text, space)
    return space["y"]


def slope(text, numbers, name, h=1e-5):
    """The oracle: how fast y changes with a number, by finite differences."""
    up, down = ({**numbers, name: numbers[name] + step} for step in (h, -h))
    return (value(text, up) - value(text, down)) / (2 * h)


def compare(student, text, mistaken=None, **numbers):
    """y and all gradients; `mistaken` has sentences for the gradient of a."""
    y, *gradients = run(student, text, **numbers)
    shown = text.replace("\n", "; ")
    expect.close(f"y of {shown}", y, value(text, numbers))
    for name, gradient in zip(numbers, gradients):
        known = {f"is still 0: no gradient arrives at {name}; walk from the result to what it was made of": 0.0,
                 **((mistaken or {}) if name == "a" else {})}
        expect.close(f"{name}.grad, where {shown},", gradient, slope(text, numbers, name), mistaken=known, tol=1e-6)


def draw(rng):
    """A number between 0.5 and 1.5, or its negative."""
    return float(rng.uniform(0.5, 1.5) * rng.choice([-1, 1]))


@exercise.check(points=30, name="one operation")
def one_operation(student, rng):
    a, b = draw(rng), draw(rng)
    compare(student, "y = a + b", a=a, b=b)
    compare(student, "y = a * b", {"is a itself: the slope of a * b along a is b": a}, a=a, b=b)
    compare(student, "y = a ** 3", {"forgets to lower the exponent: a ** n has the slope n * a ** (n - 1)": 3 * a ** 3,
                                    "forgets the factor n of n * a ** (n - 1)": a * a}, a=a)
    compare(student, "y = tanh(a)", {"is 1 - a ** 2, where tanh has the slope 1 - y ** 2 with its result y": 1 - a * a,
                                     "is 1 - y, where tanh has the slope 1 - y ** 2": 1 - math.tanh(a)}, a=a)


@exercise.check(points=20, name="the chain rule")
def chain(student, rng):
    a, b = draw(rng), draw(rng)
    compare(student, "y = tanh(a * b)", {ALONE: b}, a=a, b=b)
    compare(student, "y = tanh(tanh(a) * 0.5)",
            {ALONE: 1 - math.tanh(a) ** 2}, a=a)
    compare(student, "y = (a - 2) / b", a=a, b=b)


@exercise.check(points=20, name="a number used twice")
def used_twice(student, rng):
    a, b = draw(rng), draw(rng)
    compare(student, "y = a + a", {OVERWRITTEN: 1.0}, a=a)
    compare(student, "y = a * a", {OVERWRITTEN: a}, a=a)
    compare(student, "y = a * b + a", {OVERWRITTEN: 1.0}, a=a, b=b)
    compare(student, "y = (a - b) / (b ** 2 + 1)", a=a, b=b)


@exercise.check(points=20, name="who waits for whom")
def order(student, rng):
    a = draw(rng)
    compare(student, "b = a * 2\nc = b * 3\ny = b + c", {LATE: 2.0, TWICE: 16.0}, a=a)
    compare(student, "b = a * 2\nc = b * 3\ny = c + b", {LATE: 6.0}, a=a)
    compare(student, "b = a * 2\nc = tanh(b)\nd = c * b\ny = d * c + b", a=a)


COUNTING = """
class Counted(float):
    def __mul__(self, other):
        uses[0] += 1
        return float(self) * float(other)
    __rmul__ = __mul__

uses, half, a = [0], Value(Counted(0.5)), Value(a)
y = a
for _ in range(10):
    y = y * half + y * half
uses[0] = 0
y.backward()
result = (uses[0], a.grad)
"""


@exercise.check(points=5, name="a chain of diamonds")
def diamonds(student, rng):
    uses, gradient = student.run(COUNTING, a=draw(rng))
    expect.close("a.grad behind 10 diamonds y = y * 0.5 + y * 0.5", gradient, 1.0)
    if uses > 100:
        raise expect.Wrong(f"backward uses the slopes of 10 diamonds y = y * 0.5 + y * 0.5 {uses} times, where 20 times "
                           "will do: it follows every way from y to a, and their number doubles with each diamond; visit "
                           "every number once")


AGAIN = """
a, b = Value(a), Value(b)
y = a * b + a
z = y * y
y.backward()
y.backward()
twice = (a.grad, b.grad)
z.backward()
result = (twice, (a.grad, b.grad))
"""


@exercise.check(points=5, name="a second backward")
def again(student, rng):
    a, b = draw(rng), draw(rng)
    twice, other = student.run(AGAIN, a=a, b=b)
    doubled = "is doubled: backward adds to what an earlier one left; set grad to 0 first, of all that it walks over"
    piled = "has piled up: backward adds to what an earlier one left, on the way too; set grad to 0 first, of all of it"
    left = "still holds a part of an earlier backward: set grad to 0 first, of all that backward walks over"
    y = a * b + a
    for name, got, right, heap in (("a", twice[0], b + 1, 3 * b + 2), ("b", twice[1], a, 3 * a)):
        expect.close(f"{name}.grad after y.backward() was called twice", got, right, mistaken={
            doubled: 2 * right, piled: heap})
    for name, got, slope, before in (("a", other[0], 2 * y * (b + 1), b + 1), ("b", other[1], 2 * y * a, a)):
        expect.close(f"{name}.grad after y.backward() and then z.backward()", got, slope, mistaken={
            left: slope + before, left + " ": slope + 2 * before})


exercise.mistake("the last use wins", old="parent.grad += slope", new="parent.grad = slope", says=r"\+= and not =")
exercise.mistake("the slopes of a product are exchanged", old="(other.data, self.data)", new="(self.data, other.data)",
                 says="slope of a \\* b along a is b")
exercise.mistake("what an earlier backward left stays", old="            value.grad = 0.0", new="            pass",
                 says="adds to what an earlier one left")
exercise.mistake("the exponent stays", old="self.data ** (exponent - 1)", new="self.data ** exponent",
                 says="lower the exponent")
exercise.mistake("tanh with x for y", old="1 - y * y", new="1 - self.data ** 2", says="with its result y")
exercise.mistake("walks from the inputs to the result", old="in reversed(order)", new="in order",
                 says="walk from the result")
exercise.mistake("hands on before all uses have arrived",
                 old="                for parent in value.parents:\n                    visit(parent)\n"
                     "                order.append(value)",
                 new="                order.insert(0, value)\n                for parent in value.parents:\n"
                     "                    visit(parent)", says="arrived too late")
exercise.mistake("the gradient is not multiplied on", old="slope * value.grad", new="slope",
                 says="multiply the slopes along the chain")
exercise.mistake("follows every way", old="        order, seen = [], set()\n",
                 new="        def down(value, part):\n            value.grad += part\n"
                     "            for parent, slope in zip(value.parents, value.slopes):\n"
                     "                down(parent, part * slope)\n\n"
                     "        return down(self, 1.0)\n        order, seen = [], set()\n",
                 says="visit every number once")
exercise.mistake("visits numbers twice", old="            if value not in seen:", new="            if True:",
                 says="visited twice")
exercise.mistake("the result's own gradient stays 0", old="        self.grad = 1.0", new="        self.grad = 0.0",
                 says="still 0")
