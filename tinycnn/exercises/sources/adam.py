"""Adam and AdamW

Adam (Kingma and Ba, 2015) joins two ideas: the velocity of momentum and the learning rates of RMSProp, one for each
weight. It keeps two averages, of the gradients and of their squares, both zero at first and fading by beta1 (0.9) and
beta2 (0.999),

    m <- beta1 m + (1 - beta1) dw
    v <- beta2 v + (1 - beta2) dw^2

There is a catch. After the first step v is only (1 - beta2) dw^2, a thousandth of what it should be, because the
average has begun at zero; after a few steps it is still far too small. How small exactly? If all gradients were equal
to g, then after t steps

    m = (1 - beta1) (g + beta1 g + beta1^2 g + ... )       with t terms

Sum the geometric series: m is g times a number that tends to 1. Divide by that number and the average is right from the
first step on; v alike with beta2. With the corrected averages, m^ and v^, the step is

    w <- w - lr m^ / (sqrt(v^) + eps)

with eps outside of the root. The first step, t = 1, has a remarkable size: compute it. What is *stored* are m and v as
they are; the correction is made afresh at each step.

Weights are often kept small by *weight decay*, an additional pull towards zero. Adding weight_decay * w to the
gradient, as one does for gradient descent, works badly here, because Adam divides it away again. AdamW (Loshchilov and
Hutter, 2019) *decouples* it: every step first shrinks the weight itself by the fraction lr * weight_decay, and then
does what Adam does, with the gradient as it is.

The functions keep no state and change nothing that they are given: they return the new w, m and v.
"""
import numpy as np


def adam(w, dw, m, v, t, lr, beta1, beta2, eps):
    """w, its gradient dw and the averages m and v, of one shape; t = 1 in the first step -> the new w, m and v."""
    ### BEGIN SOLUTION
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw * dw
    m_hat = m / (1 - beta1 ** t)
    v_hat = v / (1 - beta2 ** t)
    return w - lr * m_hat / (np.sqrt(v_hat) + eps), m, v
    ### END SOLUTION


def adamw(w, dw, m, v, t, lr, beta1, beta2, eps, weight_decay):
    """As adam, with decoupled weight decay."""
    ### BEGIN SOLUTION
    return adam(w * (1 - lr * weight_decay), dw, m, v, t, lr, beta1, beta2, eps)
    ### END SOLUTION
