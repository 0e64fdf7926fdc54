"""The numerical gradient, and why h matters

How do you know that a gradient is right? You move the input a little and look. By the definition of the derivative,

    f'(x) = lim (f(x + h) - f(x)) / h    for h -> 0

and a small h gives the *forward difference*. Its error is easily found: f(x + h) = f(x) + h f'(x) + h^2/2 f''(x) + ...,
so

    (f(x + h) - f(x)) / h  =  f'(x) + h/2 f''(x) + ...

ten times smaller an h gives a ten times smaller error. The *central difference* looks to both sides,

    (f(x + h) - f(x - h)) / (2 h)

Expand f(x - h) as well and see which terms cancel: the error falls with h^2.

For an array x, do so with one entry after the other and leave the rest alone; f returns one number. Work on a float64
copy: in integers x + 0.00001 is x, and in float32 nearly so.

So make h tiny? Try h = 1e-15. A computer rounds f(x + h) and f(x - h), each with an error of about eps = 2.2e-16 times
the size of f, and the division by h turns that into an error of eps / h. The smaller h, the larger. Altogether the
error is about

    E(h) = c h^p + eps / h

with the order p, 1 for the forward and 2 for the central difference, and a number c that depends on f. The best h is
where E'(h) = p c h^(p - 1) - eps / h^2 is zero. Solve for h. With c = 1, what is it for the forward difference in
float64, and what for the central one? Is there any good h in float32?

Finally, two gradients are compared by their *relative error*, because a difference of 0.001 is small between numbers
about 1000 and a catastrophe between numbers about 0.001:

    max |a - n| / max(|a|, |n|)    over all entries; an entry where both are 0 counts as 0
"""
import numpy as np


def numerical_gradient(f, x, h):
    """f takes an array of the shape of x and returns a number -> its gradient by central differences, float64, x's shape."""
    ### BEGIN SOLUTION
    x = np.array(x, float)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(*x.shape):
        old = x[index]
        x[index] = old + h
        up = f(x)
        x[index] = old - h
        down = f(x)
        x[index] = old
        gradient[index] = (up - down) / (2 * h)
    return gradient
    ### END SOLUTION


def best_step(p, c, eps):
    """The h > 0 for which c h^p + eps / h is smallest."""
    ### BEGIN SOLUTION
    return (eps / (p * c)) ** (1 / (p + 1))
    ### END SOLUTION


def relative_error(a, n):
    """a and n, arrays of one shape -> the largest relative error of an entry, a number."""
    ### BEGIN SOLUTION
    size = np.maximum(np.abs(a), np.abs(n))
    return float(np.max(np.abs(a - n) / np.where(size > 0, size, 1)))
    ### END SOLUTION
