"""Numbers that know their derivatives

A program computes a number y from numbers a, b, ... by additions, multiplications and the like. How fast does y change
with each of them? Pen and paper work for small formulas; for a network with a million weights the program must find out
by itself. It can, with one idea: every number remembers from which numbers it was made, its parents, and how fast it
changes with each of them alone, its slopes. For c = a * b these are

    parents (a, b)        slopes (d c / d a, d c / d b)

That is all a single operation has to know. The chain rule does the rest: if y changes by c.grad for each unit that c
changes, and c by a slope for each unit that a changes, then through c, y changes by slope * c.grad for each unit of a.
And if a is used in several places, each adds its part,

    a.grad = sum over all uses c of a:  slope of c along a  *  c.grad

Even in b = a + a there are two uses: a stands twice among the parents of b.

Two things are left to you. First the slopes of four operations. Then `backward`: begin with y.grad = 1 and hand
gradients down to the parents, in an order in which every number has collected the parts of *all* its uses before it
hands anything on. For b = a * 2 and y = b + b * b: who must wait for whom? An order in which parents stand before
everything made of them, walked from its end, is such an order; a recursive function that visits the parents first and
then appends the number itself makes one, if it visits no number twice.
"""
import math


class Value:
    """A number `data` with its `parents`, its `slopes` along them, and `grad`, which `backward` of a result fills."""

    def __init__(self, data, parents=(), slopes=()):
        self.data, self.parents, self.slopes, self.grad = data, parents, slopes, 0.0

    def __add__(self, other):
        """self + other; other is a Value or a plain number."""
        other = as_value(other)
        ### BEGIN SOLUTION
        return Value(self.data + other.data, (self, other), (1.0, 1.0))
        ### END SOLUTION

    def __mul__(self, other):
        """self * other; other is a Value or a plain number."""
        other = as_value(other)
        ### BEGIN SOLUTION
        return Value(self.data * other.data, (self, other), (other.data, self.data))
        ### END SOLUTION

    def __pow__(self, exponent):
        """self ** exponent; exponent is a plain number, so there is one parent."""
        ### BEGIN SOLUTION
        return Value(self.data ** exponent, (self,), (exponent * self.data ** (exponent - 1),))
        ### END SOLUTION

    def tanh(self):
        """The hyperbolic tangent (`math.tanh`), whose derivative can be written with its result alone."""
        ### BEGIN SOLUTION
        y = math.tanh(self.data)
        return Value(y, (self,), (1 - y * y,))
        ### END SOLUTION

    def backward(self):
        """Set `grad` of everything that self was made of to the derivative of self; self.grad is 1.

        What an earlier backward has left in `grad` does not count.
        """
        ### BEGIN SOLUTION
        order, seen = [], set()

        def visit(value):
            if value not in seen:
                seen.add(value)
                for parent in value.parents:
                    visit(parent)
                order.append(value)

        visit(self)
        for value in order:
            value.grad = 0.0
        self.grad = 1.0
        for value in reversed(order):
            for parent, slope in zip(value.parents, value.slopes):
                parent.grad += slope * value.grad
        ### END SOLUTION

    # What follows needs nothing new: it is made of the operations above.
    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -as_value(other)

    def __truediv__(self, other):
        return self * as_value(other) ** -1

    __radd__, __rmul__ = __add__, __mul__


def as_value(number):
    """`number` as a Value, unless it is one."""
    return number if isinstance(number, Value) else Value(number)
