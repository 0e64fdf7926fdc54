"""The page in a real browser: its numbers are the engine's, with a server and without."""
import json
import subprocess
import sys

import numpy as np
import pytest

from tests.explore import subjects
from tests.explore.browser import Reader, as_number, serving, started
from tinycnn.explore import save
from tinycnn.explore.session import Session

SIX = dict(rtol=5.01e-6, atol=0)  # six digits


def same(found, right):
    """Whether numbers on the page are the engine's to six digits."""
    np.testing.assert_allclose(found, right, **SIX)


@pytest.fixture(scope="module")
def driver():
    driver = started()
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    """Where the page for `subjects.sequential` is: at a server, and in a file."""
    subject = subjects.digits(subjects.sequential)
    path = tmp_path_factory.mktemp("page") / "page.html"
    save(subject, path)
    with serving(subject) as server:
        yield {"served": server.address, "saved": path.as_uri()}


@pytest.fixture(params=["served", "saved"])
def reader(driver, addresses, request):
    """Somebody who has just opened the page."""
    reader = Reader(driver)
    reader.open(addresses[request.param])
    yield reader
    assert not [line for line in driver.get_log("browser") if line["level"] == "SEVERE"]


@pytest.fixture
def session():
    """The engine's own view of the same network, which must not see the page's pixels before the page does."""
    return Session(subjects.digits(subjects.sequential))


def look(reader, session):
    """The engine's Record of what is on the page."""
    pixels, label = reader.driver.execute_script("return [explorer.picture.pixels, explorer.record.label]")
    return session.look(pixels, label)


def test_the_first_picture_and_the_probabilities(reader, session):
    record = session.look(session.subject.shown[0][0])
    assert look(reader, session).label == record.label
    same(reader.number("loss"), record.loss)
    shown = [as_number(text) for text in reader.texts("#picture [data-name^=p]")]
    np.testing.assert_allclose(shown, 100 * record.probabilities, atol=0.00501)
    count = sum(p.numel() for p in session.model.parameters())
    assert f"{count:,} parameters" in reader.find("#facts").text


def test_a_drawn_digit_is_what_the_network_sees(reader, session):
    reader.draw((-40, -80), (40, -80), (0, 90))
    record = look(reader, session)
    assert record.picture.max() > record.picture.min() and session.pixels.max() == 16
    same(reader.number("loss"), record.loss)


def test_a_convolution_down_to_one_number(reader, session):
    record = session.look(session.subject.shown[0][0])
    reader.press_unit(0, 2, 3, 5, (8, 8))
    assert "Conv of 0: map 2, row 3, column 5" in reader.find("#unit h2").text
    x = np.pad(record.picture[0], 1)[3:6, 5:8]
    w, b = record.parameters["0.weight"][2, 0], record.parameters["0.bias"][2]
    same(reader.number("y"), record.operations[0].outputs[0][0, 2, 3, 5])
    same(reader.table("window0"), x.ravel())
    same(reader.table("kernel0"), w.ravel())
    same(reader.table("products0"), (x * w).ravel())
    same([reader.number("sum0"), reader.number("bias"), reader.number("made")], [(x * w).sum(), b, (x * w).sum() + b])
    assert "tinycnn/ops/conv.py" in reader.find("#unit").text


def test_a_unit_backward_and_where_dw_of_one_weight_comes_from(reader, session):
    record = session.look(session.subject.shown[0][0])
    reader.press_unit(4, 1, 1, 0, (2, 2))
    reader.press("[value=dy] + span")
    dy = record.operations[4].gradients[0][0, 1]
    same(reader.number("dy"), dy[1, 0])
    same(reader.number("arrived"), dy[1, 0])
    x = record.operations[3].outputs[0][0, 3, 1:4, 0:3]
    same(reader.table("down3"), (dy[1, 0] * record.parameters["4.weight"][1, 3]).ravel())
    same(reader.table("share3"), (dy[1, 0] * x).ravel())
    reader.press('[data-name="share3"] tr:nth-child(3) td:nth-child(1) button')
    assert "4.weight[1, 3, 1, 0]" in reader.find("#unit h2").text
    dw = record.gradients["4.weight"][1, 3, 1, 0]
    same([reader.number("dw"), reader.number("sum")], [dw, dw])
    same(reader.number("next"), record.parameters["4.weight"][1, 3, 1, 0] - 0.1 * dw)
    reader.press("#check")
    reader.wait("document.querySelector('[data-name=measured]')")
    np.testing.assert_allclose(reader.number("measured"), dw, rtol=1e-4, atol=1e-8)
    assert "they agree" in reader.find("#unit").text


def test_a_step_is_the_engines_and_can_be_taken_back(reader, session):
    session.look(session.subject.shown[0][0])
    for button, on_batch in (("#one", False), ("#batch", True)):
        before, after = session.step(0.1, on_batch)
        reader.press(button, answered=True)
        same([reader.number("before"), reader.number("after")], [before, after])
    same(reader.number("loss"), session.record().loss)
    reader.press("#undo", answered=True)
    reader.press("#undo", answered=True)
    session.undo(), session.undo()
    same(reader.number("loss"), session.record().loss)


def test_training_on_goes_on_until_it_is_stopped(reader, session):
    session.look(session.subject.shown[0][0])
    reader.press("#train")
    reader.wait("explorer.learning.losses.length >= 20")
    reader.press("#train")
    reader.wait("!explorer.learning.running")
    found = reader.driver.execute_script("return explorer.learning.losses")
    np.testing.assert_allclose(found[:10], session.train(0.1, 10), rtol=1e-9)


@pytest.mark.parametrize("mutant", [("ReLU", "slope forgotten"), ("ReLU", "output instead of slope"),
                                    ("Conv", "kernel flipped in dx"), ("Conv", "db averaged over the batch"),
                                    ("MaxPool", "gradient one element beside the maximum"),
                                    ("Linear", "mean instead of sum over the batch in db"),
                                    ("CrossEntropy", "the sign: y - p")])
def test_a_broken_backward_shows_and_the_checker_says_so(reader, session, mutant):
    session.look(session.subject.shown[0][0])
    session.switch(*mutant)
    reader.choose("#mutant", json.dumps(list(mutant), separators=(",", ":")))
    assert reader.find("[data-name=verdict]").text.split() == session.verdict().split()
    record = session.record()
    for name, dw in record.gradients.items():
        shown = reader.driver.execute_script("return [...explorer.record.arrays[arguments[0]].data]", f"dw.{name}")
        np.testing.assert_allclose(shown, dw.ravel(), rtol=1e-9, atol=1e-12)


def test_a_broken_training_is_set_beside_a_right_one(reader, session):
    mutant = ("Conv", "db averaged over the batch")
    session.look(session.subject.shown[0][0])
    session.switch(*mutant)
    reader.choose("#mutant", json.dumps(list(mutant), separators=(",", ":")))
    reader.press("#race")
    reader.wait("document.querySelector('[data-name=race]')", seconds=60)
    right, broken = session.race(0.1, 40)
    assert right[0] == broken[0] and right[1] != broken[1]
    same([reader.number("right"), reader.number("broken")], [np.mean(right[-5:]), np.mean(broken[-5:])])


@pytest.mark.parametrize("operation, index", [(1, 70), (2, 70), (3, 17), (5, 9), (7, 4), (8, 0)])
@pytest.mark.parametrize("kind", ["y", "dy"])
def test_every_view_has_the_engines_numbers(reader, session, operation, index, kind):
    record = session.look(session.subject.shown[0][0])
    if kind == "dy":
        reader.press("[value=dy] + span")
    reader.driver.execute_script("explorer.choose({operation: arguments[0], index: arguments[1]})", operation, index)
    made = record.operations[operation]
    same(reader.number(kind, "#unit"), (made.outputs if kind == "y" else made.gradients)[0].flat[index])
    if kind == "dy":
        same(reader.number("arrived"), made.gradients[0].flat[index])
    elif made.name != "ReLU":
        same(reader.number("made"), made.outputs[0].flat[index])


def test_the_gradient_of_a_pixel(reader, session):
    record = session.look(session.subject.shown[0][0])
    reader.press("[value=dy] + span")
    reader.press_unit(-1, 0, 3, 4, (8, 8))
    dx = record.picture_gradient[0, 3, 4]
    same([reader.number("dy"), reader.number("arrived")], [dx, dx])
    reader.press("#check")
    reader.wait("document.querySelector('[data-name=measured]')")
    np.testing.assert_allclose(reader.number("measured"), dx, rtol=1e-4, atol=1e-8)


def test_another_label_has_another_loss(reader, session):
    reader.press('[data-class="3"]', answered=True)
    same(reader.number("loss"), session.look(session.subject.shown[0][0], 3).loss)


# ---- other networks --------------------------------------------------------------------------------------------------

SUMS = """
const r = explorer.record, off = [];
r.operations.forEach((o, i) => {
  const dy = r.arrays[`${i}.dy.0`];
  if (!dy || i === r.operations.length - 1) return;
  for (let index = 0; index < dy.data.length; index += Math.max(1, Math.floor(dy.data.length / 23))) {
    const terms = usersOf(r, {operation: i, output: 0}).map(([j, k]) => handedDown(r, j, k, index));
    if (!terms.length || terms.some((t) => !t)) continue;
    const sum = terms.flat().reduce((s, t) => s + t.share, 0);
    off.push([o.name, Math.abs(sum - dy.data[index]), Math.abs(dy.data[index])]);
  }
});
for (const [name, shape] of Object.entries(r.parameters)) {
  const dw = r.arrays[`dw.${name}`];
  if (dw) for (let index = 0; index < dw.data.length; index += Math.max(1, Math.floor(dw.data.length / 11))) {
    const terms = usersOf(r, {parameter: name}).map(([j, k]) => handedDown(r, j, k, index));
    if (terms.every((t) => t)) off.push([name, Math.abs(terms.flat().reduce((s, t) => s + t.share, 0) - dw.data[index]),
                                         Math.abs(dw.data[index])]);
  }
}
return off;
"""


@pytest.mark.parametrize("model, explained", [
    (subjects.sequential, {"Conv", "Normalize", "ReLU", "MaxPool", "Reshape", "Linear", "4.weight", "1.bias", "7.weight"}),
    (subjects.Residual, {"Add", "Conv", "AvgPool", "AdaptiveAvgPool", "Div", "conv.weight", "enter.bias"}),
    (subjects.Attending, {"Linear", "Add", "attention.out_proj.weight"})])
def test_what_comes_from_where_adds_up_to_the_engines_gradient(driver, model, explained):
    reader = Reader(driver)
    with serving(subjects.digits(model)) as server:
        reader.open(server.address)
        found = reader.driver.execute_script(SUMS)
    assert explained <= {name for name, *_ in found}
    assert all(off <= 1e-12 + 1e-9 * size for _, off, size in found)


def test_a_residual_network_runs_in_a_saved_page_as_in_the_engine(driver, tmp_path):
    subject = subjects.digits(subjects.Residual)
    save(subject, tmp_path / "page.html")
    reader, session = Reader(driver), Session(subject)
    reader.open((tmp_path / "page.html").as_uri())
    record = session.look(subject.shown[0][0])
    for i, operation in enumerate(record.operations):
        for kind, arrays in (("y", operation.outputs), ("dy", operation.gradients)):
            shown = driver.execute_script("return [...explorer.record.arrays[arguments[0]].data]", f"{i}.{kind}.0")
            np.testing.assert_allclose(shown, arrays[0].ravel(), rtol=1e-9, atol=1e-12)


def test_attention_is_shown_and_a_saved_page_has_what_was_recorded(driver, tmp_path):
    subject = subjects.digits(subjects.Attending)
    save(subject, tmp_path / "page.html")
    reader, record = Reader(driver), Session(subject).look(subject.shown[0][0])
    (i,) = [i for i, operation in enumerate(record.operations) if operation.name == "Attention"]
    p = record.operations[i].kept["p"][0]
    with serving(subject) as server:
        for address in (server.address, (tmp_path / "page.html").as_uri()):
            reader.open(address)
            reader.press_unit(i, 1, 4, 2, (8, 8))
            same(reader.number("y"), p[1, 4, 2])
            same(reader.table("row"), p[1, 4])
    reader.press("#one")
    reader.wait("!document.getElementById('message').hidden")
    assert "Attention" in reader.message() and "tinycnn explore" in reader.message()


# ---- what goes wrong -------------------------------------------------------------------------------------------------

def test_numbers_that_are_none_are_counted_on_the_page(driver):
    subject = subjects.digits(subjects.sequential)
    subject.model[0].weight.array[1] = np.nan
    reader = Reader(driver)
    with serving(subject) as server:
        reader.open(server.address)
        assert reader.find(".layer:nth-child(2) .none").text == "64 of 256 numbers are not finite."
        reader.press_unit(0, 1, 3, 3, (8, 8))
        assert reader.find("#unit [data-name=y]").text == "NaN"
    assert not [line for line in driver.get_log("browser") if line["level"] == "SEVERE"]


def test_a_network_too_large_shows_what_it_can(driver, monkeypatch):
    from tinycnn.explore import answers, wire
    reader = Reader(driver)
    monkeypatch.setattr(answers, "described", lambda record: wire.described(record, most=1000))
    with serving(subjects.digits(subjects.sequential)) as server:
        reader.open(server.address)
        assert any("Too large to show" in text for text in reader.texts(".layer .none"))
        reader.driver.execute_script("explorer.choose({operation: 7, index: 1})")
        assert "was too much to show" in reader.find("#unit").text
    assert not [line for line in driver.get_log("browser") if line["level"] == "SEVERE"]


def test_a_file_that_is_no_picture_is_refused_and_the_page_stays(reader, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    reader.find("input[type=file]").send_keys(str(tmp_path / "notes.png"))
    reader.wait("!document.getElementById('message').hidden")
    assert "notes.png is no picture" in reader.message()
    reader.press('[data-class="3"]', answered=True)
    assert reader.message() == ""


def test_a_picture_file_is_what_the_network_sees(reader, session, tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    ink = np.full((60, 90), 255, np.uint8)
    ink[10:50, 40:48] = 0
    pillow.fromarray(ink).save(tmp_path / "one.png")
    reader.driver.execute_script("window.before = explorer.record")
    reader.find("input[type=file]").send_keys(str(tmp_path / "one.png"))
    reader.wait("explorer.record !== before")
    same(reader.number("loss"), look(reader, session).loss)
    columns = session.pixels[0].sum(0)
    assert session.pixels[0].any(1).all() and 0 < (columns > 0).sum() <= 3 and columns[3:5].sum() > 0.9 * columns.sum()


def test_a_command_that_was_killed_is_said_and_nothing_breaks(driver, tmp_path):
    reader = Reader(driver)
    (tmp_path / "mine.py").write_text("from tests.explore.subjects import sequential as net\n")
    command = subprocess.Popen([sys.executable, "-m", "tinycnn", "explore", f"{tmp_path / 'mine.py'}:net", "--no-browser"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        reader.open(command.stdout.readline().strip())
    finally:
        command.kill()
        command.wait()
        command.stdout.close()
    reader.press('[data-class="3"]')
    reader.wait("!document.getElementById('message').hidden")
    assert "The server does not answer" in reader.message()
    reader.press_unit(0, 2, 3, 5, (8, 8))
    assert "map 2, row 3, column 5" in reader.find("#unit h2").text
    driver.get_log("browser")


# ---- how it looks, and without a mouse -------------------------------------------------------------------------------

def test_the_keyboard_reaches_every_number(reader, session):
    from selenium.webdriver import Keys
    record = session.look(session.subject.shown[0][0])
    reader.driver.execute_script("explorer.choose({operation: 4, index: 0})")
    reader.driver.execute_script("arguments[0].focus()", reader.find('[data-operation="4"]'))
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.PAGE_DOWN):
        reader.driver.switch_to.active_element.send_keys(key)
    assert "map 1, row 1, column 1" in reader.find("#unit h2").text
    same(reader.number("y"), record.operations[4].outputs[0][0, 1, 1, 1])
    assert "map 1, row 1, column 1" in reader.find(".said[aria-live]").get_attribute("textContent")


@pytest.mark.parametrize("width", [360, 1920])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_fits_every_width_in_both_themes(reader, width, theme):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    reader.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        reader.driver.execute_script("setTheme(arguments[0]); explorer.draw()", theme)
        for script in ("explorer.choose({operation: 0, index: 80})", "explorer.choose({operation: 7, index: 1})",
                       "document.querySelector('[value=dy]').click()",
                       "explorer.choose({parameter: '4.weight', index: 5, operation: 4})"):
            reader.driver.execute_script(script)
            assert reader.driver.execute_script("return document.documentElement.scrollWidth") <= width
        ground = reader.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, ground[4:-1].split(","))) < 382) == (theme == "dark")
    finally:
        reader.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_everything_that_can_be_pressed_has_a_name(reader):
    names = reader.driver.execute_script("""
        return [...document.querySelectorAll("button, select, input, canvas")]
          .filter((e) => !e.hidden && e.ariaHidden !== "true")
          .map((e) => [e.outerHTML.slice(0, 80), e.ariaLabel || e.textContent || e.labels?.[0]?.textContent])""")
    assert len(names) > 20 and all(name for _, name in names), [html for html, name in names if not name]
