"""What a determined submission tries, with all that helps it: it first switches the audit hook off, and is told every
path, port and process id that it could wish for. `test_sandbox_escapes.py` runs these behind the walls of
`exercises/walls.py`.

Each is the body of a function that returns something true where it got what it wanted, or does harm that is seen from
outside. @NAMES@ are filled in by the test.
"""

UNHOOK = '''
import sys
import types


class At:
    def __init__(self, address):
        self.__array_interface__ = {"data": (address, False), "shape": (1,), "typestr": "<u8", "version": 3}


def unhook():
    """Empty the tuple of what the audit hook refuses, by its address; then find the hook and give it other code."""
    import gc
    try:
        gc.get_objects()
    except PermissionError as error:
        trace = error.__traceback__
        while trace.tb_next:
            trace = trace.tb_next
        np.asarray(At(id(trace.tb_frame.f_locals["refused"]) + 16))[0] = 0
    for f in gc.get_objects():
        if type(f) is types.FunctionType and f.__name__ == "hook" and "sandbox" in f.__code__.co_filename:
            f.__code__ = (lambda *args, **kwargs: None).__code__
    print("the hook is gone")


unhook()
import ctypes
import fcntl
import gc
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import threading
import time
libc = ctypes.CDLL(None, use_errno=True)


def done(result):
    """Whether a call of libc has succeeded."""
    return result != -1


def answer(text, blob=b"", lengths=None):
    os.write(ANSWERS, struct.pack("<QQ", *(lengths or (len(text), len(blob)))))
    for part in (text, blob):
        view = memoryview(part)
        while view:
            view = view[os.write(ANSWERS, view[:1 << 20]):]


ANSWERS = 4    # where sandbox.py writes its answers
'''
FILES = {
    "reads a file of the course": 'return open("@COURSE@/secret.txt").read()',
    "reads it through a descriptor of the root":
        'return os.read(os.open("@COURSE@/secret.txt".lstrip("/"), 0, dir_fd=os.open("/", os.O_PATH)), 9)',
    "climbs out with ..": 'return open("../" * 20 + "@COURSE@/secret.txt").read()',
    "links to it": 'os.symlink("@COURSE@/secret.txt", "/tmp/link")\nreturn open("/tmp/link").read()',
    "links to it hard": 'os.link("@COURSE@/secret.txt", "/tmp/hard")\nreturn open("/tmp/hard").read()',
    "reads the reference solution": 'return open("@PACKAGE@/exercises/sources/linear.py").read()',
    "reads the checks": 'return open("@PACKAGE@/exercises/checks/linear.py").read()',
    "imports the course": 'sys.path.insert(0, "@ROOT@")\nimport tinycnn.exercises\nreturn True',
    "finds the reference anywhere":
        'return [p for top in {*os.listdir("/")} - {"usr", "lib", "lib64"} for p, _, f in os.walk("/" + top) if '
        '{"linear.py", "grades.csv", "secret.txt"} & {*f}]',
    "reads a neighbour's submission": 'return open("@COURSE@/in/@NEIGHBOUR@/linear.py").read()',
    "lists the submissions": 'return os.listdir("@COURSE@/in")',
    "reads the record with the seed": 'return open("@COURSE@/out/grades.json").read()',
    "rewrites the grades": 'open("@COURSE@/out/grades.csv", "a").write("@TOKEN@,100")\nreturn True',
    "replaces the grades": 'open("/tmp/g", "w").write("x")\nos.replace("/tmp/g", "@COURSE@/out/grades.csv")\nreturn True',
    "puts a FIFO in the place of the grades": 'os.mkfifo("@COURSE@/out/@TOKEN@.csv")\nreturn True',
    "writes feedback for another": 'open("@COURSE@/out/grades-feedback/@NEIGHBOUR@.md", "w").write("@TOKEN@")\nreturn True',
    "deletes the course": 'import shutil\nshutil.rmtree("@COURSE@")\nreturn True',
    "drops empty modules beside the checker":
        'for p in ("@PACKAGE@/exercises", "@ROOT@", "@COURSE@"):\n    for m in ("json", "numpy", "wire"):\n        try:\n'
        '            open(f"{p}/{m}_@TOKEN@.py", "w")\n            return p\n        except OSError:\n            pass',
    "drops modules beside its own server": 'open("/tinycnn/exercises/json.py", "w")\nreturn True',
    "rewrites its own server": 'open("/tinycnn/exercises/sandbox.py", "r+")\nreturn True',
    "drops modules beside NumPy": 'open(os.path.dirname(np.__file__) + "/@TOKEN@.py", "w")\nreturn True',
    "rewrites the standard library": 'open(os.__file__, "r+")\nreturn True',
    "rewrites Python": 'open(sys.executable, "r+b")\nreturn True',
    "makes files at the root": 'open("/@TOKEN@", "w")\nreturn True',
    "leaves files in the system's temporary folders":
        'for p in ("/tmp", "/var/tmp", "/dev/shm", "/run"):\n    try:\n        open(f"{p}/@TOKEN@", "w").write("x")\n'
        "    except OSError:\n        pass",
    "reads the accounts": 'return open("/etc/passwd").read()',
    "lists the homes": 'return os.listdir("/home") + os.listdir("@HOME@")',
    "mounts a file system": 'return done(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))',
    "unmounts what hides others": 'return [p for p in (b"/", b"/tmp", b"/dev/null", b"/proc") if done(libc.umount2(p, 2))]',
    "makes the root writable": 'return done(libc.mount(b"none", b"/", None, 32 | 4096, None))',
    "changes the root": 'os.chroot("/tmp")\nreturn True',
    "makes a device": 'os.mknod("/tmp/mem", 0o600 | 0o020000, os.makedev(1, 1))\nreturn open("/tmp/mem", "rb").read(1)',
    "opens the disks":
        'return [n for n in ("/dev/mem", "/dev/vda", "/dev/sda", "/dev/kmsg", "/dev/tty", "/dev/kvm") if os.path.exists(n)]',
    "opens by handle":
        'h = struct.pack("<Ii8s", 8, 1, b"\\2" + bytes(7))\nreturn done(libc.open_by_handle_at(os.open("/", 0), h, 0))',
    "writes to the kernel's switches": 'open("/proc/sys/kernel/core_pattern", "w").write("|/tmp/x")\nreturn True',
    "reads the kernel's files": 'return os.listdir("/sys")',
}
PROCESSES = {
    "forks": "pid = os.fork()\nif pid == 0:\n    time.sleep(100)\nreturn pid",
    "fork_exec": 'import _posixsubprocess\nreturn subprocess.Popen([sys.executable, "-c", "1"]).pid',
    "posix_spawn": 'return os.posix_spawn(sys.executable, [sys.executable, "-c", "1"], {})',
    "forkpty": "return os.forkpty()",
    "clones by system call": "return libc.syscall(56, 17, 0, 0, 0, 0) > 0",
    "vforks": "return libc.vfork() > 0",
    "a thread": "threading.Thread(target=time.sleep, args=(100,)).start()\nreturn True",
    "a fork bomb":
        "end = time.time() + 0.5\ncount = 0\nwhile time.time() < end:\n    count += libc.syscall(57) > 0\nreturn count",
    "a daemon that rewrites results":
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        while True:\n            time.sleep(0.1)\n"
        '            open("@COURSE@/out/grades.csv", "w").write("@TOKEN@")\nreturn True',
    "multiprocessing":
        'import multiprocessing\np = multiprocessing.get_context("spawn").Process(target=print)\np.start()\nreturn True',
    "becomes a shell": 'os.execv("/bin/sh", ["sh", "-c", "sleep 100"])',
    "becomes a sleeping Python":
        'os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", "import time; time.sleep(100)"])',
    "becomes a program in memory":
        'fd = os.memfd_create("x")\nos.write(fd, b"#!/bin/sh\\nsleep 100\\n")\nos.execve(fd, ["x"], {})\nreturn True',
    "sub-interpreters":
        'import _xxsubinterpreters as s\ni = s.create()\ns.run_string(i, "open(\'@COURSE@/secret.txt\').read()")\n'
        "return True",
    "an extension module calls system": 'return libc.system(b"touch @COURSE@/@TOKEN@") == 0',
    "kills the grader": "os.kill(@GRADER@, signal.SIGKILL)\nreturn True",
    "kills its parent": "os.kill(os.getppid(), signal.SIGKILL)",
    "stops its parent": "os.kill(os.getppid(), signal.SIGSTOP)\ntime.sleep(30)",
    "kills everything": "os.kill(-1, signal.SIGKILL)",
    "kills all numbers": "return [pid for pid in range(3, 70000) if pid != os.getpid() and done(libc.kill(pid, 9))]",
    "kills by process group": "return done(libc.killpg(@GRADER@, 9)) or done(libc.killpg(@CANARY@, 9))",
    "pidfd_send_signal": "signal.pidfd_send_signal(os.pidfd_open(@GRADER@), signal.SIGKILL)\nreturn True",
    "pidfd to another": "signal.pidfd_send_signal(os.pidfd_open(@CANARY@), signal.SIGTERM)\nreturn True",
    "queues a signal": "return done(libc.sigqueue(@CANARY@, 9, 0))",
    "signals by tgkill": "return done(libc.syscall(234, @CANARY@, @CANARY@, 9))",
    "signals by F_SETOWN": "fcntl.fcntl(0, fcntl.F_SETOWN, @CANARY@)\nreturn fcntl.fcntl(0, fcntl.F_GETOWN)",
    "traces the grader": "return done(libc.ptrace(16, @GRADER@, 0, 0)) or done(libc.ptrace(0x4206, @CANARY@, 0, 0))",
    "reads the grader's memory": 'return open("/proc/@GRADER@/mem", "rb")',
    "reads memory across processes":
        "b = ctypes.create_string_buffer(64)\nv = (ctypes.c_size_t * 2)(ctypes.addressof(b), 64)\n"
        "return libc.process_vm_readv(@GRADER@, v, 1, v, 1, 0) > 0",
    "writes memory across processes":
        "b = ctypes.create_string_buffer(64)\nv = (ctypes.c_size_t * 2)(ctypes.addressof(b), 64)\n"
        "return libc.process_vm_writev(@CANARY@, v, 1, v, 1, 0) > 0",
    "takes a descriptor of the grader": "return done(libc.syscall(438, os.pidfd_open(@GRADER@), 1, 0))",
    "looks at the grader's processes": 'return [p for p in os.listdir("/proc") if p.isdigit()]',
    "limits the grader": "resource.prlimit(@GRADER@, resource.RLIMIT_CPU, (1, 1))\nreturn True",
    "slows the others down": "os.setpriority(os.PRIO_PROCESS, @CANARY@, 19)\nreturn True",
    "slows the account down": "os.setpriority(os.PRIO_USER, 0, 19)\nos.setpriority(os.PRIO_USER, os.getuid(), 19)",
    "takes priority": "os.setpriority(os.PRIO_PROCESS, 0, -20)\nreturn True",
    "takes real time": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))\nreturn True",
    "moves the grader to one core": "os.sched_setaffinity(@GRADER@, {0})\nreturn True",
    "takes the grader's disk time": "return done(libc.syscall(251, 1, @CANARY@, 3 << 13))",
    "stops itself": "os.kill(os.getpid(), signal.SIGSTOP)\ntime.sleep(30)",
    "ignores every signal":
        "for s in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:\n    signal.signal(s, signal.SIG_IGN)\n"
        "time.sleep(100)",
    "works at its end": "import atexit\natexit.register(lambda: os.kill(@GRADER@, 9))\nraise SystemExit",
    "works in __del__":
        'class Last:\n    def __del__(self):\n        open("@COURSE@/@TOKEN@", "w")\n        os.kill(@GRADER@, 9)\n'
        "sys.last = Last()\nsys.exit()",
}
RIGHTS = {
    "becomes root": "os.setuid(0)\nreturn True",
    "becomes the grader": "os.setresuid(@UID@, @UID@, @UID@)\nreturn os.getuid() != 65534 or os.geteuid() != 65534",
    "joins groups": "os.setgroups([0])\nreturn True",
    "takes capabilities": 'h = struct.pack("<II", 0x20080522, 0)\nreturn done(libc.capset(h, b"\\xff" * 24))',
    "a user namespace of its own": "return done(libc.unshare(0x10000000))",
    "a mount namespace of its own": "return done(libc.unshare(0x00020000))",
    "enters namespaces of others": 'return done(libc.setns(os.pidfd_open(1), 0x00020000)) or os.open("/proc/1/ns/mnt", 0)',
    "raises its limits": "resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))\nreturn True",
    "raises its memory": "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)\nreturn True",
    "loads a kernel module": 'return done(libc.init_module(b"x", 1, b""))',
    "loads a program into the kernel": 'return done(libc.syscall(321, 5, b"\\0" * 64, 64))',
    "reboots": "return done(libc.reboot(0xcdef0123 - (1 << 32)))",
    "sets the clock": "time.clock_settime(time.CLOCK_REALTIME, 0)\nreturn True",
    "renames the machine": 'socket.sethostname("@TOKEN@")\nreturn True',
    "looks into the environment": 'return [v for v in os.environ.values() if "@TOKEN@" in v] or "@TOKEN@" in str(sys.argv)',
    "types on the grader's terminal": 'fcntl.ioctl(0, 0x5412, b"x")\nreturn True',
    "opens the terminal": 'return os.open("/dev/tty", os.O_RDWR)',
}
NETWORK = {
    "TCP to the machine": 'socket.create_connection(("127.0.0.1", @PORT@), 1)\nreturn True',
    "UDP to the machine": 'socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("10.0.0.1", 53))\nreturn True',
    "an abstract socket": 'socket.socket(socket.AF_UNIX).connect("\\0@TOKEN@")\nreturn True',
    "a socket in the file system": 'socket.socket(socket.AF_UNIX).connect("@COURSE@/socket")\nreturn True',
    "a raw socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\nreturn True",
    "looks a name up": 'return socket.getaddrinfo("example.org", 80)',
    "other interfaces": 'return [n for _, n in socket.if_nameindex() if n != "lo"]',
    "shared memory of System V": "return libc.shmget(@KEY@, 4096, 0) >= 0",
    "leaves shared memory": "libc.shmget(@KEY@ + 1, 1 << 20, 0o1666)",
    "leaves a semaphore": "libc.semget(@KEY@ + 1, 1, 0o1666)",
    "leaves a message queue": "libc.msgget(@KEY@ + 1, 0o1666)",
    "leaves a POSIX queue": 'ctypes.CDLL("librt.so.1").mq_open(b"/@TOKEN@", 66, 0o666, None)',
    "shm_open": 'import _posixshmem\nreturn _posixshmem.shm_open("/@TOKEN@", os.O_RDWR | os.O_CREAT, 0o666)',
}
RESOURCES = {
    "takes all memory": "kept = []\nwhile len(kept) < 100:\n    kept.append(np.ones(1 << 26))\nreturn True",
    "takes memory page by page":
        "import mmap\nkept = []\nwhile len(kept) < 64:\n    m = mmap.mmap(-1, 1 << 28)\n    kept.append(m)\n"
        '    m[::4096] = b"x" * (1 << 16)\nreturn True',
    "locks memory": "return done(libc.mlockall(3))",
    "memory in files":
        'total = 0\nkept = []\nwhile total < 4 << 30:\n    fd = os.memfd_create("x")\n    kept.append(fd)\n'
        "    total += os.write(fd, bytes(16 << 20))\nreturn True",
    "fills the disk":
        'total = 0\nfor i in range(100):\n    with open(f"/tmp/{i}", "wb", 0) as f:\n'
        "        total += f.write(bytes(1 << 20))\nreturn total > 20 << 20",
    "a file of a terabyte": 'f = open("/tmp/f", "wb")\nf.truncate(1 << 40)\nreturn True',
    "a million files": 'for i in range(10**6):\n    open(f"/tmp/{i}", "w").close()\nreturn True',
    "a tower of folders": 'for i in range(10**6):\n    os.mkdir("d")\n    os.chdir("d")\nreturn True',
    "opens everything": 'return len([os.open("/dev/null", 0) for _ in range(1000)])',
    "prints without end": 'while True:\n    os.write(2, b"x" * (1 << 20))',
    "prints a terabyte of nothing": "os.ftruncate(2, 1 << 40)\nreturn True",
    "a loop in C": "return sum(range(10**15))",
    "backtracks for ever": 'import re\nreturn re.match("(a+)+$", "a" * 60 + "b")',
    "burns the computing time": "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True:\n    pass",
    "a stack without end": "sys.setrecursionlimit(10**9)\nf = lambda: f()\nf()",
    "crashes": "ctypes.string_at(0)",
    "dumps its core":
        "resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)\nos.abort()",
}
PROTOCOL = {
    "sixty megabytes of lists": 'answer(b\'["dict",["value",["list",\' + b"[]," * (20 << 20) + b"[]]]]")\ntime.sleep(30)',
    "lists in the largest text":
        'answer(b\'["dict",["value",["list",\' + b",".join([b\'["list"]\'] * 90000) + b"]]]")\ntime.sleep(30)',
    "keys that collide":
        "m = (1 << 61) - 1\n"
        'answer(b\'["dict",["value",["dict",\' + b",".join(b"[%d,0]" % (i * m) for i in range(60000)) + b"]]]")\n'
        "time.sleep(30)",
    "as many keys as may be":
        "m = (1 << 61) - 1\n"
        'answer(b\'["dict",["value",["dict",\' + b",".join(b"[%d,0]" % (i * m) for i in range(4990)) + b"]]]")\n'
        "time.sleep(30)",
    "keys that collide in JSON":
        'm = (1 << 61) - 1\nanswer(b"{" + b",".join(b\'"%d":0\' % (i * m) for i in range(60000)) + b"}")\ntime.sleep(30)',
    "a dtype of eight megabytes":
        'answer(b\'["dict",["value",["array","\' + b"i4," * (8 << 18) + b\'",[1]]]]\')\ntime.sleep(30)',
    "a dtype of three megabytes":
        'answer(b\'["dict",["value",["array","\' + b"i" * (3 << 20) + b\'",[1]]]]\')\ntime.sleep(30)',
    "a dtype of objects": 'answer(b\'["dict",["value",["array","|O8",[1]]]]\', bytes(8))\ntime.sleep(30)',
    "a dtype of fields": 'answer(b\'["dict",["value",["array","i4,i4",[1]]]]\', bytes(8))\ntime.sleep(30)',
    "a shape of many axes": 'answer(b\'["dict",["value",["array","<f8",[0\' + b",1" * 90000 + b"]]]]")\ntime.sleep(30)',
    "a shape without end": 'answer(b\'["dict",["value",["array","<f8",[0,1\' + b"0" * 4000 + b"]]]]")\ntime.sleep(30)',
    "a number of a million digits": 'answer(b\'["dict",["value",\' + b"7" * 10**6 + b"]]")\ntime.sleep(30)',
    "lists a million deep": 'answer(b"[" * 10**6)\ntime.sleep(30)',
    "lists a thousand deep": 'answer(b\'["dict",["value",\' + b\'["list",\' * 900 + b"0" + b"]" * 902)\ntime.sleep(30)',
    "lengths beyond everything": 'answer(b"", lengths=(2**64 - 1, 2**64 - 1))\ntime.sleep(30)',
    "half an answer": 'answer(b"[", lengths=(1000, 0))\ntime.sleep(30)',
    "answers one byte at a time":
        'os.write(ANSWERS, struct.pack("<QQ", 1000, 0))\nwhile True:\n    os.write(ANSWERS, b"[")\n    time.sleep(0.1)',
    "answers for later questions":
        'for _ in range(9):\n    answer(b\'["dict",["value",["tuple",100,100]],["changed",["list"]]]\')',
    "claims that all is right":
        'for _ in range(9):\n    answer(b\'["dict",["points",100],["ok",true],["names",["dict"]]]\')',
    "lies about what it changed": 'answer(b\'["dict",["value",["tuple"]],["changed",["list","\' + b"x" * 10**6 + b\'"]]]\')',
    "a fault of odd types":
        'answer(b\'["dict",["fault",["dict",["type",["list"]],["line",true],["message",["dict"]],["code",7]]]]\')',
    "closes the pipe and stays": "os.close(ANSWERS)\nos.close(3)\ntime.sleep(30)",
    "replaces the protocol's functions":
        'w = next(m for m in gc.get_objects() if type(m) is types.ModuleType and m.__name__ == "wire")\n'
        'w.send = lambda stream, message: answer(b\'["dict",["value",["tuple",100]]]\')\nw.call = lambda *args: (100, [])',
    "never reads again":
        'w = next(m for m in gc.get_objects() if type(m) is types.ModuleType and m.__name__ == "wire")\n'
        "w.receive = lambda stream: time.sleep(100)",
    "an answer that unpickles":
        'import pickle\nclass Bad:\n    def __reduce__(self):\n        return os.system, ("touch @COURSE@/@TOKEN@",)\n'
        "answer(pickle.dumps(Bad()))\ntime.sleep(30)",
    "commands for the terminal": 'raise type("\\x1b]0;title\\x07", (Exception,), {})("\\x1b[2J\\u202e \\ud800 \\x00")',
    "a name that reads backwards": 'raise type("\\u202eerorrE", (Exception,), {})("\\u2066=1+1")',
    "traces the frames of its server":
        "names = set()\nf = sys._getframe()\nwhile f:\n    names |= set(f.f_locals) | set(f.f_globals)\n    f = f.f_back\n"
        'sys.settrace(lambda *a: None)\nreturn names & {"seed", "rng", "right", "expected"}',
    "looks for expected answers":
        'return [o for o in gc.get_objects() if type(o).__name__ in ("Check", "Report", "Exercise", "Generator")]',
    "looks for the reference in memory":
        'return [o for o in gc.get_objects() if isinstance(o, dict) and "BEGIN SOLUTION" in str(o.get("text"))]',
    "raises the moment it is asked": "os.close(0)\nos.close(1)\nos.close(2)\nraise KeyboardInterrupt",
}
KINDS = {"files": FILES, "processes": PROCESSES, "rights": RIGHTS, "network": NETWORK, "resources": RESOURCES,
         "protocol": PROTOCOL}
ESCAPES = {f"{kind}: {name}": body for kind, escapes in KINDS.items() for name, body in escapes.items()}


def submission(reference, body, **names):
    """The text of a submission that tries `body` in its first call, and tells what came of it; else it is `reference`."""
    for name, value in names.items():
        body = body.replace(f"@{name}@", str(value))
    door = '    """x (N, D), w (M, D), b (M) -> y (N, M)."""\n'
    attack = "".join(f"        {line}\n" for line in body.splitlines())
    trial = f'''
    def attack():
{attack}
    if not tried:
        tried.append(1)
        try:
            got = attack()
            print("ESCAPED with", repr(got)[:200] if got else "nothing")
        except (Exception, SystemExit) as error:
            print("kept in:", type(error).__name__, ascii(str(error)))
            if isinstance(error, SystemExit) or type(error).__module__ == "submission":
                raise
'''
    assert reference.count(door) == 1
    return f"import numpy as np\n{UNHOOK}\ntried = []\n{reference.replace(door, door + trial)}"
