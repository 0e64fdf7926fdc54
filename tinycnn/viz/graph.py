"""The graph that backward will walk, as a drawing: Mermaid text, which many web pages draw, or an SVG picture of our own.

Round boxes are leaves, the tensors that get a `.grad`; square boxes are operations with the shape of what they computed.
Data flow downwards, gradients upwards. Tensors that require no gradient are not in the graph, so neither are they here.
"""
from html import escape

from ..engine.function import edge_of
from ..engine.tensor import Tensor


class _Graph:
    """The nodes behind a tensor in the order of computation, what each is called, and from where each gets its inputs."""

    def __init__(self, function, tensor, model, limit):
        if not isinstance(tensor, Tensor) or not tensor.requires_grad:
            raise ValueError(f"{function}: tensor must be a Tensor with a graph, got "
                             f"{'one that requires no gradient' if isinstance(tensor, Tensor) else type(tensor).__name__}")
        names = {} if model is None else {id(p): name for name, p in model.named_parameters()}
        self.nodes, self.inputs, self.labels = [], {}, {}
        stack = [(edge_of(tensor)[0], False)]
        while stack:  # depth first, each node after its inputs
            node, ready = stack.pop()
            if ready:
                self.nodes.append(node)
            if node in self.labels:
                continue
            if len(self.labels) == limit:
                raise ValueError(f"{function}: the graph has more than {limit} nodes; a larger limit draws it nevertheless")
            leaf = isinstance(node, Tensor)
            sources = [] if leaf else [edge[0] for edge in node.edges if edge]
            shape = node.shape if leaf else ", ".join(str(shape) for shape, _ in node.output_types)
            self.labels[node] = (names.get(id(node), "leaf") if leaf else node.name(), str(shape))
            self.inputs[node] = list(dict.fromkeys(sources))
            stack.append((node, True))
            stack += [(source, False) for source in reversed(sources)]
        self.number = {node: i for i, node in enumerate(self.nodes)}

    def rows(self):
        """The nodes in rows, each as late as possible: directly above the first that needs it."""
        height = {self.nodes[-1]: 0}
        for node in reversed(self.nodes):
            for source in self.inputs[node]:
                height[source] = max(height.get(source, 0), height[node] + 1)
        rows = [[] for _ in range(1 + max(height.values()))]
        for node in self.nodes:
            rows[-1 - height[node]].append(node)
        return rows


def graph_mermaid(tensor, model=None, limit=500):
    """The graph behind `tensor` as the text of a Mermaid flow chart; parameters of `model` bear their names.

    Raises ValueError for a tensor without a graph, and for a graph of more than `limit` nodes.
    """
    graph = _Graph("graph_mermaid", tensor, model, limit)
    lines = ["flowchart TD"]
    for node in graph.nodes:
        name, shape = graph.labels[node]
        left, right = ("([", "])") if isinstance(node, Tensor) else ("[", "]")
        lines.append(f'    n{graph.number[node]}{left}"{escape(name)}<br/>{escape(shape)}"{right}')
    for node in graph.nodes:
        lines += [f"    n{graph.number[source]} --> n{graph.number[node]}" for source in graph.inputs[node]]
    return "\n".join(lines) + "\n"


def graph_svg(tensor, model=None, limit=500):
    """The graph behind `tensor` as the text of an SVG picture; arguments and errors as those of `graph_mermaid`.

    Within a row, a node stands as near as possible below the middle of its inputs; a line that skips rows, such as that of a
    residual connection, goes around them on the left. `Path("graph.svg").write_text(...)`.
    """
    graph = _Graph("graph_svg", tensor, model, limit)
    place, width = {}, {node: 7.2 * max(map(len, label)) + 18 for node, label in graph.labels.items()}
    gap, step, height = 14, 66, 38
    for y, row in enumerate(graph.rows()):
        wishes = {}
        for node in row:
            above = [place[source][0] for source in graph.inputs[node] if source in place and not isinstance(source, Tensor)]
            above = above or [place[source][0] for source in graph.inputs[node]]
            wishes[node] = sum(above) / len(above) if above else None
        row.sort(key=lambda node: (wishes[node] is None, wishes[node] or 0))  # leaves on the right
        end = None
        for node in row:
            wish = wishes[node] if wishes[node] is not None else 0 if end is None else end
            x = wish if end is None else max(wish, end + gap + width[node] / 2)
            place[node] = (x, y * step)
            end = x + width[node] / 2
    lines = [_line(place[source], place[node], height, step) for node in graph.nodes for source in graph.inputs[node]]
    left = min([x - width[node] / 2 for node, (x, _) in place.items()] + [reach for _, reach in lines]) - 10
    right = max(x + width[node] / 2 for node, (x, _) in place.items()) + 10
    bottom = max(y for _, y in place.values()) + height + 10
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{right - left:.0f}" height="{bottom + 10:.0f}" '
             f'viewBox="{left:.1f} -10 {right - left:.1f} {bottom + 10:.1f}" font-family="Helvetica, Arial, sans-serif" '
             'font-size="12" text-anchor="middle">',
             '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
             '<path d="M0 0 L8 4 L0 8 Z" fill="#5F5F5F"/></marker></defs>',
             f'<rect x="{left:.1f}" y="-10" width="{right - left:.1f}" height="{bottom + 10:.1f}" fill="white"/>']
    parts += [f'<path d="{path}" fill="none" stroke="#5F5F5F" marker-end="url(#tip)"/>' for path, _ in lines]
    for node in graph.nodes:
        x, y = place[node]
        name, shape = map(escape, graph.labels[node])
        leaf = isinstance(node, Tensor)
        parts.append(f'<rect x="{x - width[node] / 2:.1f}" y="{y}" width="{width[node]:.1f}" height="{height}" '
                     f'rx="{18 if leaf else 4}" fill="{"#FBE9DD" if leaf else "#DCEBF5"}" '
                     f'stroke="{"#D55E00" if leaf else "#0072B2"}"/>'
                     f'<text x="{x:.1f}" y="{y + 16}" font-weight="bold">{name}</text>'
                     f'<text x="{x:.1f}" y="{y + 31}" fill="#5F5F5F">{shape}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(source, target, height, step):
    """The curve from below one place to above another, and how far to the left it reaches."""
    (a, b), (x, y) = source, target
    b += height
    rows = (y - b + height) // step
    bow = 90 + 6 * rows if rows > 1 else 0
    lean = (y - b) / 2 if rows == 1 else step
    path = f"M{a:.1f} {b} C{a - bow:.1f} {b + lean:.1f} {x - bow:.1f} {y - lean:.1f} {x:.1f} {y}"
    return path, min(a, x) - 0.75 * bow
