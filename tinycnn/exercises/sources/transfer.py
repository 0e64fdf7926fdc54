"""Transfer: keep the body, replace the head

A network trained on many pictures has learned in its lower layers what all pictures have in common. For a new task with few
examples one keeps this body and replaces the head, the last layer, which spoke of the old classes. Then one trains the head
alone, while the body is *frozen*; and at the end, if at all, everything together, with a small learning rate, so that the
body is not ruined by what the young head shouts at it. Where it goes wrong it goes wrong silently: everything trains, only
not what was meant. So this exercise asks for each number whether it moves.

The network is a dict of arrays. Its body is a hidden layer, "w1" (H, D) and "b1" (H), its head "w2" (K, H) and "b2" (K):

    h = relu(x w1^T + b1),      logits = h w2^T + b2          x (N, D), h (N, H), logits (N, K)

replace_head: a new dict with the body (copied) and a new head for other classes. The new weights are `normal`, standard
normal numbers (new K, H) that are handed in, divided by sqrt(H); the new bias is zero. The old dict stays as it is.

gradients: those of the mean cross-entropy over the batch, as a dict with the same names; but names in `frozen`, a list,
are left out. For the logits the gradient is (softmax(logits) - onehot(labels)) / N, from where you know the way.

sgd_step: a new dict of parameters. Those with an entry in `gradients` move,

    new = old - rate (gradient + decay old)

and all others stay, to the last bit. Decay is what makes frozen parameters creep: zero gradients do not stop it.

fine_tune: first `head_steps` steps in which only the head moves, with `rate`; then `all_steps` steps in which everything
moves, with rate / 10. Every step takes the gradients anew. Build it from the two above; the last parameters are returned.
"""
import numpy as np


def replace_head(parameters, normal):
    """parameters with a head for K classes, normal (new K, H) -> a new dict with a head for new K classes."""
    ### BEGIN SOLUTION
    new = {"w1": parameters["w1"].copy(), "b1": parameters["b1"].copy()}
    new["w2"] = normal / np.sqrt(normal.shape[1])
    new["b2"] = np.zeros(len(normal))
    return new
    ### END SOLUTION


def gradients(parameters, x, labels, frozen):
    """x (N, D), labels (N) of integers, frozen a list of names -> a dict of gradients without the frozen ones."""
    ### BEGIN SOLUTION
    w1, b1, w2, b2 = (parameters[name] for name in ("w1", "b1", "w2", "b2"))
    N = len(x)
    a = x @ w1.T + b1
    h = np.maximum(a, 0)
    logits = h @ w2.T + b2
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    dlogits = e / e.sum(axis=1, keepdims=True)
    dlogits[np.arange(N), labels] -= 1
    dlogits /= N
    da = (dlogits @ w2) * (a > 0)
    all_of_them = {"w1": da.T @ x, "b1": da.sum(axis=0), "w2": dlogits.T @ h, "b2": dlogits.sum(axis=0)}
    return {name: gradient for name, gradient in all_of_them.items() if name not in frozen}
    ### END SOLUTION


def sgd_step(parameters, gradients, rate, decay):
    """A new dict of all parameters, of which those with a gradient have moved."""
    ### BEGIN SOLUTION
    new = {}
    for name, old in parameters.items():
        if name in gradients:
            new[name] = old - rate * (gradients[name] + decay * old)
        else:
            new[name] = old.copy()
    return new
    ### END SOLUTION


def fine_tune(parameters, x, labels, head_steps, all_steps, rate, decay):
    """The parameters after head_steps steps of the head alone and all_steps of everything, at a tenth of the rate."""
    ### BEGIN SOLUTION
    for step in range(head_steps + all_steps):
        only_head = step < head_steps
        frozen = ["w1", "b1"] if only_head else []
        now = gradients(parameters, x, labels, frozen)
        parameters = sgd_step(parameters, now, rate if only_head else rate / 10, decay)
    return parameters
    ### END SOLUTION
