"""Strangers' code stays in: every escape of `escapes.py` ends within seconds, gets nothing, and leaves nothing behind."""
import io
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.escapes import ESCAPES, submission
from tinycnn import exercises
from tinycnn.cli import main
from tinycnn.exercises import walls, wire
from tinycnn.exercises.grading import grade
from tinycnn.exercises.student import ProcessStudent
from tinycnn.exercises.submissions import collect

ROOT = Path(__file__).resolve().parents[2]
LINEAR = exercises.load("linear").source
TROUBLE = walls.trouble_with(walls.Bubblewrap())
needs_bubblewrap = pytest.mark.skipif(bool(TROUBLE), reason=f"there is no bubblewrap that works here: {TROUBLE}")
SOMEBODY = "61234"      # the number of a normal user
DRIVER = """
import ctypes, glob, json, os, sys, time
sys.path += [sys.argv[1]]
from tinycnn.exercises.grading import grade
course, mine = sys.argv[2], str(os.getpid())
for path in glob.glob(f"{course}/in/*/linear.py"):
    with open(path, "r+", encoding="utf-8") as file:
        text = file.read().replace("@GRADER@", mine)
        file.seek(0)
        file.write(text)
        file.truncate()
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)     # whatever loses its parent becomes a child of this process
result = grade(f"{course}/in", f"{course}/out/grades.csv", exercises=["linear"], seed=7, seconds=1, total=3, memory=2**30,
               jobs=4)

def alive():
    parents = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            state, parent = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[:2]
            parents[pid] = parent if state != "Z" else None
        except OSError:
            pass
    return [pid for pid, parent in parents.items() if parent == mine]
end = time.time() + 10
while alive() and time.time() < end:
    time.sleep(0.1)
print(json.dumps({"left": alive(), "uid": os.getuid(), "grades": [vars(g) for g in result.grades]}))
"""


@contextmanager
def a_course(user):
    """A folder with a secret, a socket and two honest students among those who try to escape; what they are told."""
    course, token, key = tempfile.mkdtemp(prefix="course-"), f"t{secrets.token_hex(8)}", secrets.randbelow(2**30)
    account = {"user": int(SOMEBODY), "group": int(SOMEBODY), "extra_groups": []} if user else {}
    canary = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
                              **account)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as named, \
            socket.socket(socket.AF_UNIX) as abstract:
        named.bind(f"{course}/socket")
        abstract.bind("\0" + token)
        for listening in (server, named, abstract):
            listening.listen()
        Path(course, "secret.txt").write_text("secret")
        Path(course, "in").mkdir()
        names = dict(COURSE=course, TOKEN=token, KEY=key, CANARY=canary.pid, PORT=server.getsockname()[1], ROOT=ROOT,
                     PACKAGE=ROOT / "tinycnn", HOME=Path.home(), NEIGHBOUR="an honest neighbour", UID=os.getuid())
        try:
            yield names
        finally:
            canary.kill()
            canary.wait()
            shutil.rmtree(course, ignore_errors=True)


def as_user(normal):
    """The start of a command that runs as a normal user, whom Python's folder is shown where it is hidden from others."""
    if not normal or os.getuid():
        return []
    python = os.path.realpath(sys.executable)
    base = sys.base_prefix
    shown = []
    for folder in Path(base).parents:
        if folder.stat().st_mode & 0o005 != 0o005:
            above = [w for f in reversed(Path(base).parents) if f.is_relative_to(folder) for w in ("--dir", f)]
            shown = ["--tmpfs", folder, *above, "--ro-bind", base, base]
    command = ["bwrap", "--dev-bind", "/", "/", *shown, "--cap-add", "ALL", "setpriv", "--reuid", SOMEBODY,
               "--regid", SOMEBODY, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    tried = subprocess.run([*command, python, "-c", f"open({str(ROOT / 'setup.cfg')!r})"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"a normal user cannot run Python here: {tried.stderr[-200:]}")
    return command


def escaped(normal):
    """What became of all escapes: {name: (Grade as a dict, its page)}, and what was left behind."""
    user = as_user(normal)
    with a_course(user) as told:
        course = Path(told["COURSE"])
        honest = ["an honest neighbour", "zz an honest one"]
        students = {f"{i:03}": name for i, name in enumerate(ESCAPES)}
        for student in [*students, *honest]:
            (course / "in" / student).mkdir()
        for student, name in students.items():
            text = submission(LINEAR, ESCAPES[name], **told)
            (course / "in" / student / "linear.py").write_text(text, encoding="utf-8")
        for student in honest:
            (course / "in" / student / "linear.py").write_text(LINEAR, encoding="utf-8")
        if user:
            subprocess.run(["chown", "-R", f"{SOMEBODY}:{SOMEBODY}", course], check=True)
        environment = {**os.environ, "A_SECRET": told["TOKEN"]}
        before = {p: p.read_bytes() for p in course.rglob("*") if p.is_file() and p.suffix == ".txt"}
        done = subprocess.run([*user, sys.executable, "-I", "-c", DRIVER, ROOT, course], capture_output=True, text=True,
                              env=environment, timeout=900, cwd="/")
        assert done.returncode == 0, done.stderr[-3000:]
        result = json.loads(done.stdout.splitlines()[-1])
        grades = {g["student"]: g for g in result["grades"]}
        assert result["uid"] == (int(SOMEBODY) if user else os.getuid())
        left = [f"process {pid}" for pid in result["left"]]
        left += [f"file {p}" for p in left_files(told["TOKEN"], course)]
        left += [f"System V {kind}" for kind in ("shm", "sem", "msg")
                 if re.search(rf"(?m)^\s*{told['KEY'] + 1}\s", Path("/proc/sysvipc", kind).read_text())]
        left += ["the canary"] * (canary_changed(told["CANARY"]))
        left += ["a changed file"] * (before != {p: p.read_bytes() for p in before if p.exists()})
        table = (course / "out" / "grades.csv").read_text(encoding="utf-8-sig")
        left += ["a changed table"] * (table.count("\n") != len(students) + len(honest) + 1 or told["TOKEN"] in table)
        pages = {s: (course / "out" / "grades-feedback" / f"{s}.md").read_text(encoding="utf-8") for s in grades}
        harmed = [s for s in honest if grades[s]["points"] != {"linear": 100}]
        return {students[s]: (g, pages[s]) for s, g in grades.items() if s in students}, left, harmed


def left_files(token, course):
    places = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/"]
    found = [Path(place, name) for place in places if os.path.isdir(place) for name in os.listdir(place) if token in name]
    return found + [p for folder in (course, ROOT / "tinycnn") for p in folder.rglob(f"*{token}*")]


def canary_changed(pid):
    state, _, _, _, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return state != "S" or os.getpriority(os.PRIO_PROCESS, pid) != os.getpriority(os.PRIO_PROCESS, 0)


@needs_bubblewrap
@pytest.mark.parametrize("normal", [pytest.param(False, id="as we are"),
                                    pytest.param(True, id="as a normal user", marks=pytest.mark.slow)])
def test_every_escape_gets_nothing_and_leaves_nothing(normal):
    if normal and os.getuid():
        pytest.skip("this is a normal user already")
    tried, left, harmed = escaped(normal)
    got = {name: re.findall("ESCAPED with.*", page) for name, (_, page) in tried.items()
           if re.search("ESCAPED with (?!nothing)", page)}
    slow = {name: grade["seconds"] for name, (grade, _) in tried.items() if grade["seconds"] > 20}
    print(f"{len(tried)} escapes, {len(tried) - len(got)} contained; slowest "
          f"{max(g['seconds'] for g, _ in tried.values()):.1f} s")
    assert not got and not left and not harmed and not slow
    assert len(tried) == len(ESCAPES) >= 60
    assert all(grade["remarks"] or grade["points"] == {"linear": 100} for grade, _ in tried.values())
    silent = {name for name, (_, page) in tried.items() if "the hook is gone" not in page}
    assert silent <= {"resources: prints without end"}, "these have met the second wall, and not the first"
    assert sum("kept in:" in page or "ESCAPED with nothing" in page for _, page in tried.values()) >= 100


# ---- what is handed in ------------------------------------------------------------------------------------------------

def collected(folder, student):
    """(the Submission of `student`, the seconds that it took to collect all)."""
    start = time.perf_counter()
    found = {s.student: s for s in collect(folder)}
    return found[student], time.perf_counter() - start


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "linear.py").write_text(LINEAR, encoding="utf-8")
    (tmp_path / "bob").mkdir()
    for name in ("bob/linear.py", "eve.zip", "max_linear.py", "pipe"):
        os.mkfifo(tmp_path / name)
    for student in ("bob", "eve", "max"):
        entry, seconds = collected(tmp_path, student)
        assert "it is no ordinary file" in entry.remarks[0] and seconds < 5
    assert collected(tmp_path, "ada")[0].sources == {"linear": LINEAR}


def archive(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(f"{name}.py", content)
    return path


def test_files_that_take_long_or_break_cost_their_student_alone(tmp_path):
    damaged = bytearray(archive(tmp_path / "damaged.zip", linear=os.urandom(2000).hex()).read_bytes())
    damaged[60:900] = bytes(840)
    (tmp_path / "damaged.zip").write_bytes(damaged)
    archive(tmp_path / "many.zip", **{f"file{i}": b"#" * 2**20 for i in range(300)})
    for name, text in {"slow": b"# coding: punycode\n" + b"a-\xff" * 300_000, "deep": b"-" * 1_000_000 + b"1",
                       "wide": b"a;" * 500_000, "long": b"x" + b".x" * 500_000}.items():
        (tmp_path / f"{name}.py").write_bytes(text)
    (tmp_path / "ada_linear.py").write_text(LINEAR, encoding="utf-8")
    start = time.perf_counter()
    found = {s.student: s for s in collect(tmp_path)}
    assert time.perf_counter() - start < 60, "most of it in the archive of 300 MB and in what Python's parser gives up on"
    assert "cannot be read: error" in found["damaged"].remarks[0]
    assert len(found["many"].remarks) == 21 and found["many"].remarks[-1].endswith("remarks more")
    assert found["slow"].remarks == ["slow.py is not a text in UTF-8: save it as one"]
    assert found["ada"].sources == {"linear": LINEAR} and not found["ada"].remarks


# ---- without a sandbox ------------------------------------------------------------------------------------------------

def test_without_a_sandbox_grading_refuses_and_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada_linear.py").write_text(LINEAR, encoding="utf-8")
    assert main(["exercises", "grade", "in"]) == 1
    said = capsys.readouterr().err
    assert "there is no command bwrap" in said and "apt-get install bubblewrap" in said and "--trusted" in said
    assert main(["exercises", "grade", "in", "--container", "podman"]) == 1
    assert "there is no command podman" in capsys.readouterr().err
    assert not (tmp_path / "grades.csv").exists()


def test_trusted_is_written_into_the_table_and_every_page(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada_linear.py").write_text(LINEAR, encoding="utf-8")
    grade(tmp_path / "in", tmp_path / "grades.csv", trusted=True)
    lines = (tmp_path / "grades.csv").read_text(encoding="utf-8-sig").splitlines()
    assert "without a sandbox (--trusted)" in lines[0] and lines[1:] == ["student,linear,total,remark", "ada,100,100,"]
    assert "without a sandbox" in (tmp_path / "grades-feedback" / "ada.md").read_text(encoding="utf-8")
    if not TROUBLE:
        again = grade(tmp_path / "in", tmp_path / "grades.csv")
        assert again.kept == 0 and "sandbox" not in (tmp_path / "grades.csv").read_text(encoding="utf-8")


def test_a_check_says_once_that_it_has_no_sandbox(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("linear.py").write_text(LINEAR, encoding="utf-8")
    said = [main(["exercises", "check", "linear"]) or capsys.readouterr().err for _ in range(2)]
    assert "without a sandbox" in said[0] and said[1] == ""


def test_nothing_of_the_submissions_is_imported_or_written_to(tmp_path, monkeypatch):
    (tmp_path / "in" / "ada").mkdir(parents=True)
    with pytest.raises(ValueError, match="grades.csv lies among the submissions"):
        grade(tmp_path / "in", tmp_path / "in" / "grades.csv", trusted=True)
    for path, folder in (("", tmp_path / "in"), (str(tmp_path / "in" / "ada"), tmp_path)):
        with monkeypatch.context() as context:
            context.chdir(folder)
            context.setattr(sys, "path", [path, *sys.path])
            with pytest.raises(ValueError, match="Python looks for modules in"):
                grade(tmp_path / "in", tmp_path / "grades.csv", trusted=True)


# ---- the walls --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_a_container_has_no_network_no_rights_and_an_end(engine):
    (command, known), (_, other) = (walls.Container(engine).command("{}", 90.2) for _ in range(2))
    options, inside = command[2:command.index(walls.IMAGE)], command[command.index(walls.IMAGE) + 1:]
    assert command[:2] == [engine, "run"] and known != other and f"--name={known}" in options
    assert {"--rm", "--interactive", "--network=none", "--read-only", "--cap-drop=ALL", "--user=65534:65534",
            "--security-opt=no-new-privileges"} <= set(options)
    assert {o.partition("=")[0] for o in options} >= {"--pids-limit", "--memory", "--memory-swap", "--cpus", "--tmpfs",
                                                      "--ipc"}
    assert [o.rpartition(":")[0].partition(":")[2] for o in options if o.startswith("--volume")] == [
        "/tinycnn/exercises/sandbox.py", "/tinycnn/exercises/wire.py"]
    assert inside[:4] == ["timeout", "--signal=KILL", "91", "python3"] and "-I" in inside


@pytest.mark.skipif(os.name != "posix", reason="the pretended engine is a shell script")
def test_a_container_is_started_answers_and_is_ended(tmp_path, monkeypatch):
    shell = ('#!/bin/sh\necho "$@" >> {0}/log\nif [ "$1" = run ]; then\n  while [ "$1" != python3 ]; do shift; done\n'
             '  shift 5\n  exec {1} -I {2}/sandbox.py "$2"\nfi\n')
    (tmp_path / "docker").write_text(shell.format(tmp_path, sys.executable, ROOT / "tinycnn" / "exercises"))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with ProcessStudent("def f(x):\n    return x + 1\n", wall=walls.choose("docker")) as student:
        assert student.f(2) == 3
    runs, kills = [[line.split() for line in (tmp_path / "log").read_text().splitlines() if line.startswith(w)]
                   for w in ("run", "kill")]
    assert len(runs) == 2 and [f"--name={kills[-1][1]}"] == [w for w in runs[-1] if w.startswith("--name")]


@needs_bubblewrap
def test_behind_the_wall_there_is_only_python_and_numpy():
    source = ("import os\ndef f():\n    fds = []\n    for fd in range(64):\n        try:\n"
              "            fds.append(os.fstat(fd) and fd)\n        except OSError:\n            pass\n"
              "    return [os.getuid(), fds, sorted(os.environ), os.getpgid(0)]\n")
    with ProcessStudent(source, wall=walls.choose()) as student:
        uid, descriptors, variables, group = student.f()
    assert uid == 65534 and descriptors == [0, 1, 2, 3, 4] and group == 1
    assert variables == ["LC_CTYPE", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PWD"]


@needs_bubblewrap
def test_a_killed_grader_leaves_nothing_running():
    code = ("import sys\nsys.path += [sys.argv[1]]\nfrom tinycnn.exercises import walls\n"
            "from tinycnn.exercises.student import ProcessStudent\n"
            "student = ProcessStudent('import time\\ndef f():\\n    return 1\\n', wall=walls.choose())\nstudent.f()\n"
            "print(student._process.pid, flush=True)\nsys.stdin.read()\n")
    grader = subprocess.Popen([sys.executable, "-I", "-c", code, ROOT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    with grader:
        pid = int(grader.stdout.readline())
        inside = family(pid)
        assert len(inside) >= 3
        grader.kill()
    end = time.monotonic() + 10
    while time.monotonic() < end and any(map(running, inside)):
        time.sleep(0.05)
    assert not [p for p in inside if running(p)]


def family(pid):
    """`pid` and the processes below it."""
    parents = {}
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(other)] = int(Path("/proc", other, "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            pass
    found = {pid}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("text", [
    b'["list"' + b",1" * 300_000 + b"]", b"[" * 100_000, b'["list",' * 50 + b"1" + b"]" * 50, b'{"a":1}',
    b'["array","' + b"i4," * 1000 + b'",[1]]', b'["array","|O8",[1]]', b'["array","<f8",[' + b"1," * 40 + b"1]]",
    b'["array","<f8",[0,' + b"9" * 30 + b"]]", b'["dict"' + b",[1,1]" * 5001 + b"]", b'["set",1]', b'["array","<f8",[9]]',
    b'["array","<f8"]', b'["dict",[["list"],1]]', b"7" * 5000])
def test_an_answer_that_would_take_long_is_malformed(text):
    start = time.perf_counter()
    with pytest.raises(wire.Malformed):
        wire.receive(io.BytesIO(wire.HEAD.pack(len(text), 0) + text))
    assert time.perf_counter() - start < 2
