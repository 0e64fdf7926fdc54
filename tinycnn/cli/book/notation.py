"""The index notation of docstrings, read by rule and written as LaTeX.

    dw[f, c, k] = sum_{n, o} dy[n, f, o] x[n, c, o * stride + k * dilation - padding]

A formula is a chain of expressions with relations between them. In a product the factors stand side by side; indices stand
in brackets or behind `_`; `a/b` without spaces binds as tightly as a factor, ` / ` divides all of the product before it.
A word that is no symbol ends the formula, so that formulas are found within sentences.
"""
import re

TOKEN = re.compile(r"(?P<gap>\s+)|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)|(?P<name>[A-Za-z]+'*)|(?P<dots>\.\.\.)|"
                   r"(?P<sign><=|>=|!=|->|//|[-=<>+*/@^_(){}\[\]|,:])|(?P<other>.)", re.S)
GREEK = {"mu", "beta", "alpha", "psi", "eps", "pi", "Gamma"}
FUNCTIONS = {"log", "ln", "exp", "sqrt", "sign", "tanh", "erf", "softmax", "floor", "det", "clip", "softplus", "diag",
             "flip", "relu", "max", "min", "mean", "position"}
LARGE = {"sum": r"\sum", "prod": r"\prod"}
WORDS = {"stride", "padding", "dilation", "cols", "dcols", "xhat", "dxhat", "var", "dvar", "dmu", "scale", "keep", "mask",
         "dmask", "index", "size", "high", "low", "grid", "dgrid", "value", "dvalue", "step", "weight", "shift", "mod",
         "ddy", "src", "dsrc", "gradA", "gradB", "gradX", "gradY", "gU", "gV", "gP", "gA", "gs", "inf"}
RELATIONS = {"=": "=", "<": "<", ">": ">", "<=": r"\le", ">=": r"\ge", "!=": r"\ne"}
CLOSING = {"(": ")", "[": "]", "{": "}"}
BEFORE = {",", ":", "(", "->", ""}  # the signs behind which a formula may begin


class NoFormula(ValueError):
    """What stands here is not in the notation."""


def find(text):
    """Cut a text into pieces (kind, piece): kind is "text", or "formula" where the piece is LaTeX.

    A formula has a relation, or indices or powers.
    """
    tokens = [(m.lastgroup, m[0], m.start()) for m in TOKEN.finditer(text)]
    pieces, done, at, before = [], 0, 0, ""
    while at < len(tokens):
        kind, token, start = tokens[at]
        if kind != "gap":
            try:
                if kind == "sign" and token not in "=-|[(" or tight(tokens, at) or before not in BEFORE:
                    raise NoFormula
                latex, end = _Reader(tokens, at).formula(first=not text[:start].strip())
                stop = tokens[end][2] if end < len(tokens) else len(text)
                pieces += [("text", text[done:start]), ("formula", latex)]
                done, at = stop, end - 1
            except NoFormula:
                pass
            before = tokens[at][1] if tokens[at][0] == "sign" else ""
        elif len(token) > 1:
            before = ""
        at += 1
    return [piece for piece in (*pieces, ("text", text[done:])) if piece[1]]


def tight(tokens, at):
    """Whether the token at this place hangs together with a word or number before it."""
    return at > 0 and (tokens[at - 1][0] in ("name", "number") or tokens[at - 1][1] in ("_", ".", "-", "/", "@"))


def is_symbol(name):
    """Whether a word stands for a number or an array: a letter, or one of the names that formulas use."""
    name = name.rstrip("'")
    return len(name) == 1 or name in GREEK or name in WORDS or (len(name) == 2 and name[0] == "d" and name != "do")


class _Reader:
    """Reads one formula from the tokens, from place `at` on."""

    def __init__(self, tokens, at):
        self.tokens, self.at, self.bars = [*tokens], at, 0

    def formula(self, first):
        """(LaTeX, place behind it). Only what stands `first` in a line may begin with a relation, going on with the last."""
        start = self.at
        if not first and self.peek() in RELATIONS:
            raise NoFormula
        chain, related = self.chain()
        if not related and not {"_", "^"} & {token for _, token, _ in self.tokens[start:self.at]}:
            raise NoFormula
        return chain, self.at

    def chain(self):
        """(LaTeX, whether there is a relation) of expression (relation expression)*."""
        related, parts = False, []
        if self.peek() not in RELATIONS:
            parts.append(self.sum())
        while self.peek() in RELATIONS and not self.wide():
            parts += [RELATIONS[self.take()], self.sum()]
            related = True
        return " ".join(parts), related

    def peek(self):
        """The next token that is no gap; "" at the end."""
        at = self.at
        while at < len(self.tokens) and self.tokens[at][0] == "gap":
            at += 1
        return self.tokens[at][1] if at < len(self.tokens) else ""

    def kind(self):
        """The kind of the token that `peek` gives."""
        at = self.at
        while at < len(self.tokens) and self.tokens[at][0] == "gap":
            at += 1
        return self.tokens[at][0] if at < len(self.tokens) else ""

    def tight(self):
        """Whether the next token follows without a gap."""
        return self.at < len(self.tokens) and self.tokens[self.at][0] != "gap"

    def wide(self):
        """Whether a wide gap follows: in a table of formulas it separates the columns, but for a relation behind it."""
        return self.at < len(self.tokens) and len(self.tokens[self.at][1]) > 1 and self.tokens[self.at][0] == "gap" and (
            self.peek() not in RELATIONS)

    def take(self, expected=None):
        """The next token; NoFormula where it is not the expected one."""
        token = self.peek()
        if not token or (expected and token != expected):
            raise NoFormula
        while self.tokens[self.at][0] == "gap":
            self.at += 1
        self.at += 1
        return token

    def sum(self):
        """Products with + and - between them."""
        parts = [self.take()] if self.peek() in ("-", "+") else []
        parts.append(self.product())
        while self.peek() in ("+", "-"):
            parts.append(self.take())
            parts.append(self.product())
        return " ".join(parts)

    def product(self):
        """Factors side by side; ` / ` divides all that stands before it by the factor after it."""
        product = self.factor()
        while True:
            sign = self.peek()
            if sign in ("*", "@") and not self.wide():
                self.take()
                product += (r" \cdot " if sign == "*" else r"\, ") + self.factor()
            elif sign in ("/", "//"):
                self.take()
                product = fraction(product, self.factor())
                product = rf"\left\lfloor {product} \right\rfloor" if sign == "//" else product
            elif self.begins_factor():
                product += (r" \circ " if self.circle() else r"\, ") + self.factor()
            else:
                return product

    def begins_factor(self):
        """Whether the next token begins one more factor of a product."""
        if self.wide():
            return False
        sign, kind = self.peek(), self.kind()
        if kind == "name":
            return sign in FUNCTIONS or sign in LARGE or (is_symbol(sign) and not self.article())
        return kind in ("number", "dots") or sign in ("(", "[") or (sign == "|" and not self.bars)

    def circle(self):
        """Take an `o` that means the product of two matrices entry by entry: it stands free, before a bracket."""
        found = self.peek() == "o" and [t[1] for t in self.tokens[self.at:self.at + 4]] == [" ", "o", " ", "("]
        return bool(found and self.take())

    def article(self):
        """Whether the next token is the word "a", and not a number of that name."""
        rest = [t for t in self.tokens[self.at:self.at + 6] if t[0] != "gap"][:2]
        return (rest[0][1] in ("a", "A", "I") and len(rest) == 2 and rest[1][0] == "name" and not is_symbol(rest[1][1])
                and rest[1][1] not in FUNCTIONS)

    def factor(self):
        """An atom with its powers; a/b without gaps is a factor, too."""
        factor = self.power()
        while self.tight() and self.peek() == "/":
            self.take()
            factor = fraction(factor, self.power())
        return factor

    def power(self):
        """An atom with what stands above it and behind it."""
        atom = self.atom()
        while self.tight() and self.peek() in ("^", "_"):
            if self.peek() == "_":
                atom = f"{{{atom}}}{self.below()}"
                continue
            self.take("^")
            sign = "-" if self.peek() == "-" and self.take() else ""
            exponent = self.inner() if self.peek() == "(" else self.atom()
            atom = f"{atom if len(atom) == 1 else f'{{{atom}}}'}^{{{sign}{exponent}}}"
        return atom

    def inner(self):
        """What stands in the next brackets, without them."""
        opening = self.take()
        parts = [self.chain()[0]]
        while self.peek() in (",", ":"):
            parts.append(self.take())
            if self.peek() != CLOSING[opening]:
                parts.append(self.chain()[0])
        self.take(CLOSING[opening])
        return " ".join(parts)

    def brackets(self):
        """The next brackets and what stands in them."""
        opening = self.peek()
        return rf"\left{opening} {self.inner()} \right{CLOSING[opening]}"

    def atom(self):
        """A number, a symbol with its indices, a function of something, a sum, or brackets."""
        sign, kind = self.peek(), self.kind()
        if kind == "number":
            number = self.take()
            if self.tight() and self.kind() == "name":  # 3x3, 2d
                raise NoFormula
            return number
        if kind == "dots":
            return self.take() and r"\dots"
        if sign in ("(", "["):
            return self.brackets()
        if sign == "|" and not self.bars:
            return self.absolute()
        if kind != "name":
            raise NoFormula
        if sign in LARGE:
            self.take()
            return LARGE[sign] + self.below() + r"\, " + self.product()
        if sign in FUNCTIONS:
            return self.applied()
        if sign[0] == "d" and sign[1:] in FUNCTIONS:
            kind, _, start = self.tokens[self.at]
            self.tokens[self.at] = kind, sign[1:], start
            return r"{d}" + self.applied()
        if not is_symbol(sign):
            raise NoFormula
        return self.indexed(symbol(self.take()))

    def absolute(self):
        """|a|, the size of a number."""
        self.take("|")
        self.bars += 1
        inside = self.sum()
        self.take("|")
        self.bars -= 1
        return rf"\left| {inside} \right|"

    def applied(self):
        """A function and the factor that it is applied to."""
        name = self.take()
        if name == "sqrt":
            return rf"\sqrt{{{self.inner() if self.peek() == '(' else self.factor()}}}"
        below = self.below()
        known = name in ("log", "ln", "exp", "tanh", "det", "max", "min")
        return (rf"\{name}" if known else symbol(name)) + below + " " + self.power()

    def below(self):
        """The index below a sum or a function: `_i`, or `_{n, o: condition}`."""
        if not (self.tight() and self.peek() == "_"):
            return ""
        self.take("_")
        index = self.inner() if self.peek() in ("{", "(") else self.letters()
        return rf"_{{{index}}}"

    def letters(self):
        """The letters or the number behind `_`."""
        if self.kind() == "number":
            return self.take()
        if self.kind() != "name":
            raise NoFormula
        name = self.take()
        return symbol(name) if is_symbol(name) else " ".join(name) if len(name) <= 3 else rf"\mathrm{{{name}}}"

    def indexed(self, name):
        """A symbol with its indices."""
        while self.tight() and self.peek() in ("_", "[", "("):
            if self.peek() == "(":
                return name + self.brackets()
            name = f"{{{name}}}" if "_" in name else name
            name += self.below() if self.peek() == "_" else rf"_{{{self.inner()}}}"
        return name


def fraction(above, below):
    """above / below, where brackets round all of the one or the other are not needed."""
    return rf"\frac{{{_bare(above)}}}{{{_bare(below)}}}"


def _bare(latex):
    """A formula without the brackets round all of it."""
    depth = 0
    for part in re.finditer(r"\\left(?=[(\[|])|\\right(?=[)\]|])", latex):
        depth += 1 if part[0] == r"\left" else -1
        if depth == 0 and part.end() + 1 < len(latex):
            return latex
    return latex[6:-7].strip() if latex.startswith(r"\left(") else latex


def symbol(name):
    """A name as LaTeX writes it."""
    word = name.rstrip("'")
    primes = name[len(word):]
    if word == "eps":
        return r"\varepsilon" + primes
    if word in GREEK:
        return "\\" + word + primes
    if word == "xhat":
        return r"\hat{x}"
    if word == "inf":
        return r"\infty"
    if len(word) == 1:
        return name
    if len(word) == 2 and word[0] == "d":
        return "{" + word + "}" + primes
    if word.startswith("d") and word[1:] in {*GREEK, "xhat"}:
        return "{d" + symbol(word[1:]) + "}"
    return rf"\mathrm{{{word}}}" + primes
