"""`tinycnn pack`: a trained network as a small file."""
import hashlib
import json
from pathlib import Path

from .arguments import weights_file


def add_pack(commands):
    """`tinycnn pack`."""
    p = commands.add_parser("pack", help="write a trained network as a small file, with 16 bits a weight",
                            description="Write a trained network as a file of half the size, with 16 bits a weight, that "
                            "every command takes in place of the original. `tinycnn evaluate` says what that cost.")
    p.add_argument("checkpoint", type=Path, help="a folder that `tinycnn train` wrote, or its model.safetensors")
    p.add_argument("file", type=Path, help="the file to write")
    p.set_defaults(run=pack, forwards=False)


def pack(args):
    """`tinycnn pack`: the size of the file and its SHA-256; the settings of the run go along."""
    from ..train import load_model, save_checkpoint
    source = weights_file(args.checkpoint)
    model, metadata = load_model(source)
    settings = source.parent / "run.json"
    if settings.is_file():
        try:
            metadata["settings"] = json.loads(settings.read_bytes())
        except (RecursionError, ValueError) as error:
            raise ValueError(f"{settings}: the settings of the run are damaged ({error})") from None
    save_checkpoint(args.file, model, metadata, half=True)
    content = args.file.read_bytes()
    print(f"{args.file}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")
