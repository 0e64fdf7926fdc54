"""Initialisation: what becomes of the signal

Twenty linear layers with a relu behind each: let all weights be random with a standard deviation of 0.01, and what
comes out is zero to many digits, and so is every gradient. Let it be 0.2, and it overflows. In between lies a narrow
pass, and it can be computed.

Take one output of a layer, before the relu: z = sum_d w[d] x[d] with D terms. Let the weights be independent of each
other and of x, with mean 0 and variance var. Then all mixed terms of z^2 vanish on average, and

    E[z^2] = sum_d E[w[d]^2] E[x[d]^2] = D var E[x^2]

D is the *fan-in*, the number of inputs that an output has. The relu sets half of the z to zero (their distribution is
symmetric), so E[relu(z)^2] is half of E[z^2]. One layer with its relu therefore multiplies the mean square of the
signal by

    a factor that depends on var and D alone

and `depth` layers by its power. For which var is it 1? That is the initialisation of He and others (2015), made for
relu. On the way back the same happens with the number of outputs, the *fan-out*, and Xavier Glorot and Bengio (2010)
chose the compromise var = 2 / (fan_in + fan_out), for activations such as tanh, which pass a small signal as it is.

Weights of a linear layer have shape (M, D), M outputs of D inputs; those of a convolution (F, C, KH, KW): an output
pixel is fed by C channels at KH * KW places, and an input pixel feeds F channels at as many.

A uniform distribution between -a and a has the variance a^2 / 3. The random numbers are given to you, u uniform between
0 and 1 and z normal with standard deviation 1, in the shape of the weights; scale and shift them.
"""
import numpy as np  # noqa: F401


def fans(shape):
    """The shape (M, D) of a linear layer's weights or (F, C, KH, KW) of a convolution's -> fan_in and fan_out."""
    ### BEGIN SOLUTION
    places = 1
    for size in shape[2:]:
        places *= size
    return shape[1] * places, shape[0] * places
    ### END SOLUTION


def he_normal(z):
    """z, standard normal -> weights of its shape, normal, such that a layer with relu keeps the mean square."""
    ### BEGIN SOLUTION
    fan_in, _ = fans(z.shape)
    return z * (2 / fan_in) ** 0.5
    ### END SOLUTION


def xavier_uniform(u):
    """u, uniform between 0 and 1 -> weights of its shape, uniform between -a and a, of variance 2 / (fan_in + fan_out)."""
    ### BEGIN SOLUTION
    fan_in, fan_out = fans(u.shape)
    a = (6 / (fan_in + fan_out)) ** 0.5
    return (2 * u - 1) * a
    ### END SOLUTION


def predicted(var, fan_in, depth):
    """By what factor `depth` layers, with relu and weights of variance var, multiply the mean square of the signal."""
    ### BEGIN SOLUTION
    return (fan_in * var / 2) ** depth
    ### END SOLUTION


def signal(x, weights):
    """x (N, D) and a list of matrices (M, D), one a layer -> a list with mean(h^2) of the result h of each layer's relu."""
    ### BEGIN SOLUTION
    squares = []
    for w in weights:
        x = x @ w.T
        x = x * (x > 0)
        squares.append(float((x * x).mean()))
    return squares
    ### END SOLUTION
