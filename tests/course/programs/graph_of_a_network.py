"""Drawing the graph: from the loss back to the parameters, each of which is the end of a path."""
import torch
from torch import nn


def ends(node, found):
    """The parameters behind a node, each once."""
    for below, _ in node.next_functions:
        if below is None:
            continue
        if hasattr(below, "variable"):
            assert type(below).__name__ == "AccumulateGrad" and below.next_functions == ()
            if below not in found:
                found.append(below)
        else:
            ends(below, found)
    return found


net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
loss = net(torch.ones(2, 3)).mean()
names = {id(p): name for name, p in net.named_parameters()}
leaves = ends(loss.grad_fn, [])
print(sorted(names[id(leaf.variable)] for leaf in leaves), leaves == ends(loss.grad_fn, []))

# prints
# ['0.bias', '0.weight', '2.bias', '2.weight'] True
