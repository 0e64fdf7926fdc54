"""Gradient descent, momentum and Nesterov

The gradient dw of the loss points uphill, so a step of gradient descent goes the other way, with the learning rate lr:

    w <- w - lr dw

In a long narrow valley that is slow: the step must be small enough for the steep sides, and then hardly moves along the
floor. Momentum lets w roll like a ball. A velocity v, at first zero, remembers the gradients of earlier steps, fading
by a factor beta (0.9, say) a step,

    v <- beta v + dw
    w <- w - lr v           with the new v

Across the valley the gradients alternate and cancel; along it they add up. If the gradient stays the same for ever,
what becomes of v? (Sum the geometric series: that is how much faster one rolls, and why lr must be smaller than
without.)

Nesterov's idea is to look where the ball will be, not where it is. In the form that libraries compute, with the
gradient at w as before, the velocity is the same, but the step is that which momentum *would* take next if dw came once
more:

    v <- beta v + dw
    w <- w - lr (dw + beta v)      with the new v

Some books put the learning rate into the velocity, or take (1 - beta) dw. That is the same only as long as lr never
changes, or with another lr. Here it is as it stands above, as in PyTorch.

The functions keep no state and change nothing that they are given: they return the new w, and the new v.
"""
import numpy as np  # noqa: F401


def sgd(w, dw, lr):
    """w and its gradient dw, of one shape, and the learning rate -> the new w."""
    ### BEGIN SOLUTION
    return w - lr * dw
    ### END SOLUTION


def momentum(w, dw, v, lr, beta):
    """w, its gradient and its velocity, of one shape -> the new w and the new v."""
    ### BEGIN SOLUTION
    v = beta * v + dw
    return w - lr * v, v
    ### END SOLUTION


def nesterov(w, dw, v, lr, beta):
    """w, its gradient and its velocity, of one shape -> the new w and the new v."""
    ### BEGIN SOLUTION
    v = beta * v + dw
    return w - lr * (dw + beta * v), v
    ### END SOLUTION


def terminal_velocity(beta):
    """What v tends to when dw is 1 for ever; 0 <= beta < 1."""
    ### BEGIN SOLUTION
    return 1 / (1 - beta)
    ### END SOLUTION
