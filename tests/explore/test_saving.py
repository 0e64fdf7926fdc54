"""The page in one file: what is in it, how large it is, and whether the one that comes along is of today."""
import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.explore import subjects
from tinycnn.cli import main
from tinycnn.explore import save
from tinycnn.explore.page import SCRIPTS, STYLE, page
from tinycnn.explore.saving import engine, saved
from tinycnn.explore.session import Session
from tinycnn.gradcheck import registry
from tinycnn.models import lenet5

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "notebooks" / "explore.html"


def inside(html):
    """(what a saved page knows, as JSON, the bytes of it)."""
    content = base64.b64decode(re.search(r'^const SAVED = "(.*)";$', html, re.M)[1])
    length = int.from_bytes(content[:4], "little")
    return json.loads(content[4:4 + length]), content


def test_a_saved_page_needs_nothing_from_elsewhere(tmp_path):
    save(subjects.digits(subjects.sequential), tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    assert "connect-src 'none'" in html and "default-src 'none'" in html
    assert not re.search(r"\b(src|href|action)\s*=", html) and "import(" not in html and "url(" not in html
    facts, _ = inside(html)
    assert facts["runs"] and facts["unknown"] == [] and len(facts["mutants"]) == len(facts["verdicts"]) == 7
    assert all("yours" in verdict for verdict in facts["verdicts"].values())


def test_the_weights_in_it_are_the_networks():
    subject = subjects.digits(subjects.Residual)
    content = saved(subject)
    length = int.from_bytes(content[:4], "little")
    places = json.loads(content[4:4 + length])["arrays"]
    for name, p in subject.model.named_parameters():
        place = places[f"w.{name}"]
        found = np.frombuffer(content, {"f8": "<f8", "f4": "<f4"}[place["type"]], p.numel(), 4 + length + place["at"])
        assert np.array_equal(found.reshape(p.shape), p.array) and place["type"] == "f4"  # as nothing is lost
    assert places["learnt"]["type"] == places["shown"]["type"] == "u1"


def test_a_network_that_the_page_cannot_run_is_recorded():
    facts, _ = inside(page(saved(subjects.digits(subjects.Attending))))
    assert not facts["runs"] and "Attention" in facts["unknown"] and len(facts["records"]) == 4 and not facts["mutants"]
    assert facts["arrays"]["shown"]["shape"][0] == 4 and "r3/dw.out.weight" in facts["arrays"]


def test_the_engine_of_the_page_names_what_the_library_has():
    registry.load()
    operations, mutants = engine()
    assert operations <= {case.function.__name__ for case in registry.CASES} and len(operations) > 10
    assert len(mutants) == 7 and set(mutants) <= {f"{m.function.__name__}: {m.name}" for m in registry.MUTANTS}


def test_our_own_html_css_and_javascript_are_below_a_megabyte_and_fetch_nothing():
    assert len(page(None).encode()) < 200_000
    folder = ROOT / "tinycnn" / "explore" / "page"
    assert {p.name for p in folder.iterdir() if p.suffix in (".js", ".css", ".html")} == {STYLE, *SCRIPTS, "page.html"}
    assert all(len(line) <= 125 for name in (STYLE, *SCRIPTS) for line in (folder / name).read_text().splitlines())
    assert "http" not in "".join((folder / name).read_text() for name in (STYLE, *SCRIPTS, "page.html")).replace(
        "http-equiv", "")


@pytest.mark.skipif(not SHIPPED.exists(), reason="the lessons are not beside the tests")
def test_the_page_that_comes_along_is_todays_and_has_the_shipped_weights():
    """Where this fails, run `tinycnn explore mnist --save notebooks/explore.html`."""
    html = SHIPPED.read_text(encoding="utf-8")
    facts, content = inside(html)
    assert page(content) == html and SHIPPED.stat().st_size < 3_000_000
    assert facts["runs"] and facts["arrays"]["learnt"]["shape"] == [320, 1, 28, 28]
    length = int.from_bytes(content[:4], "little")
    for name, p in lenet5(weights="mnist").named_parameters():
        found = np.frombuffer(content, "<f4", p.numel(), 4 + length + facts["arrays"][f"w.{name}"]["at"])
        assert np.array_equal(found.reshape(p.shape), p.array)


def test_the_command_saves_a_page_or_says_what_it_cannot_find(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("from tests.explore.subjects import Residual as net\n")
    assert main(["explore", f"{tmp_path / 'mine.py'}:net", "--save", str(tmp_path / "page.html")]) == 0
    size = (tmp_path / "page.html").stat().st_size
    assert capsys.readouterr().out == f"{tmp_path / 'page.html'}: {size:,} bytes\n"
    assert inside((tmp_path / "page.html").read_text())[0]["title"] == "net"
    assert main(["explore", str(tmp_path / "no"), "--save", str(tmp_path / "other.html")]) == 1
    assert "is no folder of a run, no checkpoint" in capsys.readouterr().err and not (tmp_path / "other.html").exists()


def test_sessions_do_not_share_a_network():
    subject = subjects.digits(subjects.sequential)
    one, two = Session(subject), Session(subject)
    two.look(np.zeros(64), 1)
    before = two.record().loss
    one.look(np.zeros(64), 1)
    one.step(1.0)
    assert two.record().loss == before != one.record().loss
