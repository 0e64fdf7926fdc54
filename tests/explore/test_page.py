"""The page in a real browser: its numbers are the engine's, with a server and without."""
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
    import json
    session.look(session.subject.shown[0][0])
    session.switch(*mutant)
    reader.choose("#mutant", json.dumps(list(mutant), separators=(",", ":")))
    assert reader.find("[data-name=verdict]").text.split() == session.verdict().split()
    record = session.record()
    for name, dw in record.gradients.items():
        shown = reader.driver.execute_script("return [...explorer.record.arrays[arguments[0]].data]", f"dw.{name}")
        np.testing.assert_allclose(shown, dw.ravel(), rtol=1e-9, atol=1e-12)
    reader.press("#race")
    reader.wait("document.querySelector('[data-name=race]')")
    right, broken = session.race(0.1, 40)
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
