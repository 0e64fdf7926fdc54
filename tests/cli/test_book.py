"""The book: notation is read, names are found, pages hold the code, and what is broken is noticed."""
import html
import re
import shutil
import subprocess
import sys

import pytest

from tinycnn.cli import main
from tinycnn.cli.book import files, notation, prose, site, source

pytest.importorskip("pygments")
pytest.importorskip("latex2mathml")
needs_sphinx = pytest.mark.skipif(not site.BOOK.is_dir(), reason="the book's own pages are not beside the package")


@pytest.fixture(scope="module")
def package():
    return source.Source()


# ---- notation --------------------------------------------------------------------------------------------------------

def formulas(text):
    """The LaTeX of the formulas in a text."""
    return [piece for kind, piece in notation.find(text) if kind == "formula"]


@pytest.mark.parametrize("text, latex", [
    ("y = x", "y = x"),
    ("dx = dy / (2 y)", r"{dx} = \frac{{dy}}{2\, y}"),
    ("y[n, o] = sum_k w[k] x[o + k]", r"y_{n , o} = \sum_{k}\, w_{k}\, x_{o + k}"),
    ("z = x^(y-1)", "z = x^{y - 1}"),
    ("dl/dx = a/b c", r"\frac{{dl}}{{dx}} = \frac{a}{b}\, c"),
    ("s = |x| / sqrt(y)", r"s = \frac{\left| x \right|}{\sqrt{y}}"),
    ("W = F o (P S)", r"W = F \circ \left( P\, S \right)"),
    ("dxhat = dmu", r"{d\hat{x}} = {d\mu}"),
    ("c = n // 2", r"c = \left\lfloor \frac{n}{2} \right\rfloor"),
    ("where x_1[s_1] stands", "{x_{1}}_{s_{1}}"),
])
def test_a_formula_is_read(text, latex):
    assert formulas(text) == [latex]


@pytest.mark.parametrize("text", ["a small slope a with 3x3 kernels", "y is the mean of x", "sum of dy over all rows",
                                  "(N, C)", "1e-12 and 1/2", "do = not"])
def test_prose_is_no_formula(text):
    assert formulas(text) == []


def test_a_sentence_keeps_its_words_around_the_formulas():
    text = "f' = 1 where x > 0, else a x with a small slope a."
    assert "".join("#" if kind == "formula" else piece for kind, piece in notation.find(text)) == (
        "# where #, else a x with a small slope a.")


def test_a_formula_that_does_not_render_is_an_error():
    assert "<math" in prose.mathml(r"\frac{x}{y}")
    for wrong in (r"\nosuchcommand{x}", r"\frac{x", "x_1_2"):
        with pytest.raises(ValueError, match="does not render"):
            prose.mathml(wrong)


def test_every_formula_of_the_package_renders(package):
    count = 0
    for module in package.modules.values():
        for node in (module.tree, *(d.node for d in module.definitions.values())):
            count += prose.html_of(source.docstring_of(node)).count("<math")
    assert count > 300


def test_a_docstring_becomes_paragraphs_lists_blocks_and_links():
    made = prose.html_of("First `name`, x (N, C, *S).\n\n- one\n- two\n\nDerivation: as\n    dx = dy\n"
                         "Source: arXiv:1706.03762.", {"name": "there.html"}.get)
    assert '<a href="there.html"><code>name</code></a>' in made and "<code>x (N, C, *S)</code>" in made
    assert "<ul><li>one</li></ul>\n<ul><li>two</li></ul>" in made
    assert "<strong>Derivation</strong>" in made and '<ul class="formulas"><li><math' in made
    assert 'href="https://arxiv.org/abs/1706.03762"' in made


# ---- names -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, module", [
    ("tinycnn.conv2d", "tinycnn.ops.conv"), ("tinycnn.nn.functional.conv2d", "tinycnn.ops.conv"),
    ("tinycnn.jit.script", "tinycnn.torch.jit"), ("tinycnn.optim.Adam", "tinycnn.optim.adam"),
    ("tinycnn.ops.unary.Sin", "tinycnn.ops.unary")])
def test_a_name_is_found_where_it_is_defined(package, name, module):
    assert package.find(name).module == module


def test_what_is_not_of_the_package_is_not_found(package):
    assert package.find("numpy.zeros") is None and package.find("tinycnn.no_such_thing") is None


def test_calls_and_callers_are_each_others_mirror(package):
    convolve, im2col = package.find("tinycnn.ops.conv.convolve"), package.find("tinycnn.ops.unfold.im2col")
    assert im2col in package.calls[convolve] and convolve in package.callers[im2col]
    for target, callers in package.callers.items():
        assert all(target in package.calls[caller] for caller in callers)


def test_a_local_name_is_no_link(package):
    module = package.modules["tinycnn.ops.matmul"]
    names = {target.name for target in package.links(module).values()}
    assert "Linear" in names and "x" not in names


def test_what_is_imported_is_a_link_and_a_star_none(package):
    module = package.modules["tinycnn"]
    links = {module.lines[line - 1][column:].partition(",")[0]: target for (line, column), target in
             package.links(module).items()}
    assert links["as_torch"].module == "tinycnn.torch.alias" and not any(text.startswith("*") for text in links)


# ---- pages -----------------------------------------------------------------------------------------------------------

def test_the_steps_of_a_file_hold_every_line_once(package):
    for module in package.modules.values():
        lines = [line for _, first, last in files.steps(module) for line in range(first, last + 1)]
        assert lines == sorted(set(lines))
        left = {n for n, line in enumerate(module.lines, 1) if line.strip()} - set(lines)
        assert left <= set(files.docstring_lines(module.tree)), module.path


def test_the_code_of_a_page_is_the_code_of_the_file(package):
    module = package.modules["tinycnn.ops.conv"]
    page = files.file_page(package, module, set())
    shown = html.unescape(re.sub("<[^>]+>", "", "\n".join(re.findall(r'<pre class="code">(.*?)</pre>', page, re.S))))
    hidden = {n for d in module.definitions.values() for n in files.docstring_lines(d.node)}
    hidden |= set(files.docstring_lines(module.tree))
    expected = [line for n, line in enumerate(module.lines, 1) if n not in hidden and line.strip()]
    assert [line for line in shown.split("\n") if line.strip()] == expected
    assert '<a href="unfold.html#im2col">im2col</a>' in page and 'id="Conv"' in page


def test_an_operation_page_gathers_what_is_known(package):
    from tinycnn.cli.book.operations import operation_page, operations
    from tinycnn.ops.rectifier import ReLU
    assert ReLU in operations()
    page, _ = operation_page(package, ReLU, set())
    for heading in ("PyTorch's names", "Roads", "Cases", "Mistakes", "To write it yourself"):
        assert f"<h2>{heading}</h2>" in page.body


def test_an_operation_without_derivation_fails(package, monkeypatch):
    from tinycnn.cli.book.operations import operation_page
    from tinycnn.ops.rectifier import ReLU
    monkeypatch.setattr(ReLU, "__doc__", "The larger of x and 0.")
    with pytest.raises(RuntimeError, match="ReLU in ops/rectifier.py says nothing of a gradient"):
        operation_page(package, ReLU, set())


def test_a_public_name_without_docstring_fails(package, monkeypatch):
    from tinycnn.cli.book.reference import reference_pages
    from tinycnn import linalg
    monkeypatch.setattr(linalg, "undocumented", lambda x: x, raising=False)
    linalg.undocumented.__module__ = "tinycnn.linalg"
    with pytest.raises(RuntimeError, match="tinycnn.linalg.undocumented has no docstring"):
        list(reference_pages(package))


def test_broken_links_and_foreign_scripts_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<p id="here"><a href="b.html#there">b</a><a href="#here">a</a>'
                                     '<a href="https://example.org">away</a>')
    (tmp_path / "b.html").write_text('<p id="there"><a href="a.html">a</a>')
    assert site.broken_links(tmp_path) == []
    (tmp_path / "b.html").write_text('<a href="c.html">c</a><a href="a.html#nowhere">a</a><script src="https://x.org/x.js">')
    found = "\n".join(site.broken_links(tmp_path))
    assert all(f"there is no {place}" in found for place in ("b.html#there", "c.html", "a.html#nowhere"))
    assert "loads https://x.org/x.js from elsewhere" in found


# ---- the site --------------------------------------------------------------------------------------------------------

@needs_sphinx
def test_sphinx_makes_pages_of_a_small_part(package, tmp_path):
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_nb")
    out = tmp_path / "site"
    pages = [site.Page("index", "Start", "Start", "<p>y</p>"),
             site.Page("code/engine/formula", "formula.py", "formula", files.file_page(
                 package, package.modules["tinycnn.engine.formula"], set()), kind="code",
                 names=[("tinycnn.plainly", "function", "plainly")])]
    with site.sources() as folder:
        for path in (*folder.glob("*.md"), *folder.glob("tour/*.md")):
            path.unlink()
        site.write(folder, out, [("Start", pages[:1]), ("Code", pages[1:])])
    made = (out / "code/engine/formula.html").read_text(encoding="utf-8")
    assert 'id="plainly"' in made and 'aria-current="true">Code</a>' in made
    assert "plainly" in (out / "searchindex.js").read_text(encoding="utf-8")


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    (tmp_path / "thesis.tex").write_text("mine")
    assert main(["book", "--out", str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().err and (tmp_path / "thesis.tex").read_text() == "mine"


def test_what_is_missing_is_named(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["book"]) == 1
    assert "pip install 'tinycnn[book]'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The whole book."""
    for name in ("sphinx", "myst_nb"):
        pytest.importorskip(name)
    out = tmp_path_factory.mktemp("book") / "site"
    done = subprocess.run([sys.executable, "-m", "tinycnn", "book", "--out", str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@needs_sphinx
@pytest.mark.slow
def test_the_whole_book_is_made(whole):
    assert sum(path.stat().st_size for path in whole.rglob("*") if path.is_file()) < 40e6
    for page in ("index", "tour/08_col2im", "code/ops/conv", "operations/Conv", "lessons/04_im2col", "exercises/linear",
                 "zoo/resnet", "reference/tinycnn.nn", "reference/pytorch"):
        assert (whole / f"{page}.html").exists(), page


@needs_sphinx
@pytest.mark.slow
def test_a_browser_searches_from_the_disk(whole):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no browser")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"]
    done = subprocess.run([browser, *options, f"{(whole / 'search.html').as_uri()}?q=max_pool2d"], capture_output=True,
                          text=True, timeout=120)
    assert 'href="reference/tinycnn.html#max_pool2d"' in done.stdout
