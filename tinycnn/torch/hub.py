"""PyTorch's `torch.hub`: weights from the web, downloaded once."""
import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

from .data.storage import data_folder, download
from .files import saving

__all__ = ["load", "load_state_dict_from_url"]


def load(repo_or_dir, model, *args, source="github", **options):
    """RuntimeError: PyTorch's `hub.load` downloads a repository and runs its Python code, which tinycnn does not."""
    raise RuntimeError(f"hub.load: this would download the code of {repo_or_dir!r} and run it, which tinycnn does not. Its "
                       "own networks are in tinycnn.models (models.list_models()), as models.resnet18(); published weights "
                       "come with hub.load_state_dict_from_url(url) and model.load_state_dict(...)")


def load_state_dict_from_url(url, model_dir=None, map_location=None, progress=True, check_hash=False, file_name=None,
                             weights_only=True):
    """`tinycnn.load` of the file at `url`, which is downloaded into `model_dir` unless it is there.

    By default that is the folder "checkpoints" of the data folder. The name of the file is that in the url, or `file_name`.
    With `check_hash` the name in the url must end in the beginning of the file's SHA-256, as "resnet18-f37072fd.pth" does,
    and ValueError is raised where they differ. `progress` and `weights_only` are accepted. Downloading needs pooch.
    """
    folder = data_folder() / "checkpoints" if model_dir is None else Path(model_dir).expanduser()
    name = urlsplit(url).path.rpartition("/")[2]
    path = folder / (file_name or name)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        fetched = download(url[url.rindex(name):], [url[:url.rindex(name)]], folder, None)
        if check_hash:
            _check_beginning(fetched, name)
        fetched.replace(path)
    return saving.load(path, map_location)


def _check_beginning(path, name):
    """Raise, and delete the file, unless its SHA-256 begins as `name` ends."""
    promised = re.search(r"-([0-9a-f]+)\.[^.]*$", name)
    if promised is None:
        path.unlink()
        raise ValueError(f"load_state_dict_from_url: check_hash needs a name such as resnet18-f37072fd.pth, got {name}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if not found.startswith(promised[1]):
        path.unlink()
        raise ValueError(f"load_state_dict_from_url: the SHA-256 of {name} begins with {found[:len(promised[1])]}, not with "
                         f"{promised[1]}: the file was damaged on its way, or is another one")
