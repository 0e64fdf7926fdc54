"""AdaGrad and RMSProp: a learning rate for each weight

One learning rate serves all weights badly: some get large gradients at every step, others, such as the embedding of a
rare word, a small one now and then. AdaGrad (Duchi, Hazan and Singer, 2011) gives each weight its own. It remembers the
sum s of the squares of all gradients the weight has seen, at first zero, and divides by its root:

    s <- s + dw^2
    w <- w - lr dw / (sqrt(s) + eps)        with the new s

All of it is element by element. eps, say 1e-10, is there for weights that have never had a gradient: 0 / 0. It stands
outside of the root, as in PyTorch; inside it would have another size.

What is the first step of a weight, whatever its gradient? And if a gradient stays the same for ever, how do the steps
shrink with their number t? (Put s = t dw^2 in.) For a network that trains long, they shrink too fast. RMSProp (Hinton,
2012) forgets: it replaces the sum by an average that fades by beta (0.99, say) a step,

    s <- beta s + (1 - beta) dw^2
    w <- w - lr dw / (sqrt(s) + eps)

The two weights beta and 1 - beta sum to 1, so where the gradients stay the same s tends to dw^2. Write both, and a
function that tells how large AdaGrad's step number t is.

The functions keep no state and change nothing that they are given: they return the new w and the new s.
"""
import numpy as np


def adagrad(w, dw, s, lr, eps):
    """w, its gradient dw and the sum s of squared gradients, of one shape -> the new w and the new s."""
    ### BEGIN SOLUTION
    s = s + dw * dw
    return w - lr * dw / (np.sqrt(s) + eps), s
    ### END SOLUTION


def rmsprop(w, dw, s, lr, beta, eps):
    """w, its gradient dw and the average s of squared gradients, of one shape -> the new w and the new s."""
    ### BEGIN SOLUTION
    s = beta * s + (1 - beta) * dw * dw
    return w - lr * dw / (np.sqrt(s) + eps), s
    ### END SOLUTION


def adagrad_step(t, lr):
    """By how much AdaGrad moves a weight in step t = 1, 2, ... if its gradient is always the same; eps is 0."""
    ### BEGIN SOLUTION
    return lr / np.sqrt(t)
    ### END SOLUTION
