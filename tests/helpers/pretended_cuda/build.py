"""Build the pretended GPU in a folder: an environment with CuPy from PyPI, of which two parts are replaced.

CuPy's module `runtime` has CUDA's runtime inside; it is made again from CuPy's own source, and calls the library that the
C++ files here become. `thrust` has machine code for GPUs inside; `thrust.py` takes its place. All others call CUDA through
libraries, whose names lead to ours.
"""
import configparser
import hashlib
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
CUPY = "14.2.0"
SOURCE = ("https://files.pythonhosted.org/packages/dc/10/059a92d40b161ea24607c9e41a75098812ca7021f2b565524f87beba15c9/"
          f"cupy-{CUPY}.tar.gz")
SHA256 = "cfed725e612178cfbdbf62f4a3a598b60edecbbca718c0d4580c21a16ae4a62c"
PACKAGES = [f"cupy-cuda13x=={CUPY}", "Cython==3.2.9", "pytest-xdist",
            "nvidia-cuda-runtime==13.0.96", "nvidia-cuda-crt==13.0.88", "nvidia-cuda-cccl==13.0.85",
            "nvidia-cuda-profiler-api==13.0.85"]  # these four are CUDA's headers
CONSTANTS = {"CUPY_USE_CUDA_PYTHON": False, "CUPY_CUFFT_STATIC": False, "CUPY_CUDA_VERSION": 13000, "CUPY_HIP_VERSION": 0,
             "CUPY_CYTHON_VERSION": "3.2.9"}  # as CuPy's own setup.py sets them
LOADED = ["libcuda.so.1", "libnvrtc.so.13", "libcublasLt.so.13", "libnvJitLink.so.13"]  # that CuPy looks for by these names
OPTIONS = ["-std=c++17", "-shared", "-fPIC", "-w"]


class CannotBuild(Exception):
    """What is missing, and what to do."""


class Folder:
    """Where everything lies below the folder that the user names; each version of Python has its own environment."""

    def __init__(self, path):
        self.path = Path(path).resolve()
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        self.environment = self.path / version
        self.python = self.environment / "bin" / "python"
        packages = self.environment / "lib" / version / "site-packages"
        self.backends, self.thrust = packages / "cupy_backends" / "cuda", packages / "cupy" / "cuda"
        self.cuda = packages / "nvidia" / "cu13"
        self.source = self.path / f"cupy-{CUPY}"
        self.libraries = self.path / "lib"
        self.library = self.libraries / "libpretended.so"
        self.done = self.environment / "done"  # holds the digest of what all this was built from


def digest():
    """Stands for everything that a folder is built from."""
    files = sorted([*HERE.glob("*.cpp"), HERE / "pretended.h", HERE / "thrust.py", HERE / "build.py", ROOT / "setup.cfg"])
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def build(path):
    """Build in the folder `path`, unless that has been done from the same files."""
    folder = Folder(path)
    if folder.done.exists() and folder.done.read_text() == digest():
        return folder
    _look_for_tools()
    folder.path.mkdir(parents=True, exist_ok=True)
    steps = [("install CuPy, CUDA's headers and what the tests need", _install), ("fetch CuPy's source", _fetch),
             ("compile the pretended CUDA", _compile), ("build CuPy's module `runtime` anew", _runtime),
             ("put NumPy's sorting in the place of Thrust's", _sorting)]
    for number, (name, step) in enumerate(steps, 1):
        print(f"[{number}/{len(steps)}] {name}", flush=True)
        step(folder)
    folder.done.write_text(digest())
    return folder


def _look_for_tools():
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise CannotBuild("the pretended GPU is made for Linux on x86-64 processors")
    for tool in ("g++", "nm", "readelf"):
        if not shutil.which(tool):
            raise CannotBuild(f"{tool} is missing: install a C++ compiler (on Debian: apt install build-essential)")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise CannotBuild("Python.h is missing: install Python's development files (on Debian: apt install python3-dev)")


def _call(*command, cwd=None, show=False, advice="see above"):
    """What a command prints, unless it is shown at once; where it fails, that is shown, and the advice."""
    result = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=not show, text=True)
    if result.returncode:
        sys.stderr.write((result.stdout or "") + (result.stderr or ""))
        raise CannotBuild(f"`{Path(command[0]).name} {command[1]} ...` failed: {advice}")
    return result.stdout


def _install(folder):
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    ours = settings["options"]["install_requires"] + settings["options.extras_require"]["test"]
    if not folder.python.exists():
        _call(sys.executable, "-m", "venv", folder.environment, advice="on Debian: apt install python3-venv")
    _call(folder.python, "-m", "pip", "install", *PACKAGES, *filter(None, ours.split("\n")), show=True,
          advice="the packages come from PyPI, so a network is needed")


def _fetch(folder):
    archive = folder.path / f"cupy-{CUPY}.tar.gz"
    if not archive.exists():
        try:
            with urllib.request.urlopen(SOURCE, timeout=60) as answer:
                archive.write_bytes(answer.read())
        except (urllib.error.URLError, TimeoutError) as error:
            raise CannotBuild(f"{SOURCE} cannot be read ({error}): a network is needed, "
                              f"or the file laid down as {archive}") from None
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise CannotBuild(f"{archive} has the SHA-256 {found} instead of {SHA256}: delete it and try again")
    with tarfile.open(archive) as tar:
        tar.extractall(folder.path, [m for m in tar if m.name.startswith(f"cupy-{CUPY}/cupy_backends/")], filter="data")


def _compile(folder):
    folder.libraries.mkdir(exist_ok=True)
    (folder.path / "missing.cpp").write_text(_missing(folder))
    _call("g++", "-O2", *OPTIONS, "-fvisibility=hidden", "-I", HERE, "-I", folder.cuda / "include",
          *sorted(HERE.glob("*.cpp")), folder.path / "missing.cpp", "-ldl", "-o", folder.library)
    needed = {name for module in _linked(folder)
              for name in re.findall(r"NEEDED.*\[(lib(?:cu|nv)[^]]*)\]", _call("readelf", "-d", module))}
    for name in (*LOADED, *needed):
        link = folder.libraries / name
        link.unlink(missing_ok=True)
        link.symlink_to(folder.library.name)


def _linked(folder):
    """CuPy's modules that are linked to CUDA's libraries."""
    return [folder.backends / "libs" / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
            for name in ("cublas", "curand", "cusolver", "cusparse")]


def _missing(folder):
    """C++ in which every function that CuPy may call says that it is missing; where there is one, that one is taken."""
    api, libs = folder.source / "cupy_backends/cuda/api", folder.source / "cupy_backends/cuda/libs"
    wanted = set(re.findall(r"\bcuda\w+(?=\()", (api / "_runtime_extern.pxi").read_text()))
    for path, prefix in ((api / "_driver_extern.pxi", "cu"), (libs / "_cnvrtc.pxi", "nvrtc")):
        wanted |= {prefix + name for name in re.findall(r"\bget\('(\w+)'", path.read_text())}
    for module in _linked(folder):
        wanted |= set(re.findall(r" U (cu\w+)", _call("nm", "-D", "--undefined-only", module)))
    return '#include <pretended.h>\n#define MISSING(NAME) API __attribute__((weak)) int NAME() \\\n' \
        '{ std::fprintf(stderr, "pretended CUDA: %s is missing\\n", #NAME); return 999; }\n' \
        + "".join(f"MISSING({name})\n" for name in sorted(wanted))


def _runtime(folder):
    target = folder.backends / "api" / f"runtime{sysconfig.get_config_var('EXT_SUFFIX')}"
    constants = ",".join(f"{name}={value}" for name, value in CONSTANTS.items())
    _call(folder.python, "-m", "cython", "-3", "--cplus", "-E", constants, "cupy_backends/cuda/api/runtime.pyx",
          cwd=folder.source)
    _call("g++", "-O1", *OPTIONS, "-I", sysconfig.get_path("include"), "-I", folder.cuda / "include",
          folder.source / "cupy_backends/cuda/api/runtime.cpp", "-o", target,
          f"-L{folder.libraries}", "-lpretended", f"-Wl,-rpath,{folder.libraries}")


def _sorting(folder):
    for old in folder.thrust.glob("thrust.*.so"):
        old.unlink()
    shutil.copy(HERE / "thrust.py", folder.thrust / "thrust.py")
