"""The rest of what people hand each other: rules, recipes, notes, inputs, pictures, trainings."""

from __future__ import annotations

import io
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from dump_mutations import array, changed, members_of, packed, resized
from mutations import CANARY, NUMBERS, Mutation, safetensors
from seeds import Seeds

PICTURES = (
    *("rgb.png", "grey.png", "wide.png", "palette.png", "bits.png", "alpha.png", "film.png"),
    *("rgb.jpg", "cmyk.jpg", "turned.jpg", "rgb.webp", "film.webp", "rgb.tif", "float.tif"),
    *("rgb.bmp", "rgb.ppm", "film.gif"),
)
RULES = """
[[rename]]
pattern = 'backbone\\.(.*)'
to = '\\1'

[[drop]]
pattern = 'head\\..*'
reason = "another number of classes"

[[kind]]
pattern = '.*\\.token_table'
kind = "embedding"

[[tensor]]
pattern = '.*\\.lora_[AB]'
kind = "parameter"
"""
TOML = (
    *("a = " + "[" * 5000, "a = " + "{b=" * 5000, ".".join("a" * 900) + " = 1", "[[rename]]", "[a"),
    *("pattern = '('", "pattern = 7", "to = '\\9'", "a = 1e999", "a = nan", "a = " + "9" * 5000),
    *("a = 9999-99-99", "x = '''", '"\\ud800" = 1', "\x1b[31m = 1", "'<script>' = 1", "to = []"),
    *("[train]\nbatch_size = -1", "[data]\ncrop = [1e9, 1e9]", "pattern = '\\p{L}'", "=", "\0"),
)


def seeds(folder: Path) -> Seeds:
    """Return the bytes of one whole file of each kind."""
    made = {"rules.toml": RULES.encode(), **arrays(), **trainings(folder)}
    return made | {name: picture(name) for name in PICTURES}


def seed(form: str, folder: Path) -> bytes:
    """Return the bytes of one whole file."""
    return picture(form) if form in PICTURES else seeds(folder)[form]


def arrays() -> Seeds:
    """Return inputs of a network in files of numpy."""
    values = {"arr_0": np.ones((2, 3), np.float32), "mask": np.zeros((2,), np.int64)}
    made: dict[str, Callable[[Any], None]] = {
        "input.npy": lambda file: np.save(file, values["arr_0"]),
        "input.npz": lambda file: np.savez(file, **values),
        "packed.npz": lambda file: np.savez_compressed(file, **values),
    }
    return {name: written(save) for name, save in made.items()}


def trainings(folder: Path) -> Seeds:
    """Return what a training reads, and what it wrote itself."""
    from stdc_port.training.metrics import Evaluation
    from stdc_port.training.parts import Origin, Part
    from stdc_port.training.recipe import load_recipe
    from stdc_port.training.state import Best, TrainingState, save_state

    recipe = load_recipe("generated")
    weights = {"conv.weight": np.ones((2, 3), np.float32)}
    state = TrainingState(3, weights, {}, weights, recipe.to_json(), "a.pth", best=Best(0.5, 2))
    save_state(folder / "state.safetensors", state)
    part = Part(
        Evaluation(np.eye(2, dtype=np.int64), 3, (0.5,), ("road", "car"), False),
        Origin(1, 1, 3, "0" * 64, "1" * 64),
    )
    lines = ({"iteration": n, "loss": 0.5} for n in range(4))
    shipped = Path(__file__).parents[2] / "stdc_port/recipes/generated.toml"
    return {
        "recipe.toml": shipped.read_bytes(),
        "recipe.json": json.dumps(recipe.to_json()).encode(),
        "part.json": json.dumps(part.to_json()).encode(),
        "log.jsonl": "\n".join(map(json.dumps, lines)).encode(),
        "state.safetensors": (folder / "state.safetensors").read_bytes(),
    }


def picture(name: str) -> bytes:
    """Return a picture of a kind, which its name tells."""
    from PIL import Image

    pixels = np.random.default_rng(len(name)).integers(0, 255, (6, 8, 3), np.uint8)
    whole = Image.fromarray(pixels)
    kinds = {"grey": "L", "palette": "P", "bits": "1", "alpha": "RGBA", "cmyk": "CMYK"}
    stem, _, suffix = name.partition(".")
    image = whole.convert(kinds.get(stem, "RGB"))
    if stem in {"wide", "float"}:
        image = Image.fromarray(pixels[..., 0].astype(np.uint16 if stem == "wide" else np.float32))
    options: dict[str, Any] = {}
    if stem == "turned":
        options["exif"] = image.getexif()
        options["exif"][0x0112] = 6
    if stem == "film":
        options |= {"save_all": True, "append_images": [whole.rotate(180), whole.rotate(90)]}
    form = {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper())
    return written(lambda file: image.save(file, form, **options))


def written(save: Callable[[Any], None]) -> bytes:
    """Return what is written to a file."""
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def use(path: Path) -> str | None:
    """Read a file as the command does that is given it."""
    kind = path.name.removeprefix("broken.")
    if kind in PICTURES:
        return look(path)
    return READERS[kind](path)


def _rules(path: Path) -> None:
    from converters.user_rules import read_rules

    read_rules(path)


def _recipe(path: Path) -> None:
    from stdc_port.training.recipe import load_recipe

    load_recipe(str(path))


def _part(path: Path) -> None:
    from stdc_port.training.parts import combined, read_part

    part = combined({str(path): read_part(path)})
    json.dumps(part.to_json())


def _log(path: Path) -> None:
    from stdc_port.training.runlog import read_log

    json.dumps(read_log(path))


def _state(path: Path) -> None:
    from stdc_port.training.state import load_state

    load_state(path)


def give(path: Path) -> None:
    """Take a file as the input of two networks."""
    from parity.input_files import Picture, from_file

    for _, values, _ in from_file(path, Picture((4, 4), (0, 0, 0), (1, 1, 1))):
        values.astype(np.float64)


READERS: dict[str, Callable[[Path], None]] = {
    "rules.toml": _rules, "recipe.toml": _recipe, "recipe.json": _recipe, "part.json": _part,
    "log.jsonl": _log, "state.safetensors": _state, "input.npy": give, "input.npz": give,
    "packed.npz": give,
}  # fmt: skip


def look(path: Path) -> None:
    """Take a picture as labels, predict it, or take it as an input: its bytes say which."""
    uses = (pair, predict, give)
    uses[zlib.crc32(path.read_bytes()) % len(uses)](path)


def pair(path: Path) -> None:
    """Take a picture as a training's picture and its labels at once."""
    from stdc_port.training.cityscapes import Pair, read_pair

    read_pair(Pair("a", path, path, train_ids=False))


def predict(path: Path) -> None:
    """Predict a picture."""
    from stdc_port.training.prediction import Frame, predict_frames

    output = path.with_name("out.safetensors")
    try:
        predict_frames(blank, [Frame(path, Path("a.png"))], output)
    finally:
        shutil.rmtree(output, ignore_errors=True)


def blank(image: Any) -> np.ndarray:
    """Return a prediction of nothing but roads."""
    return np.zeros(image.size[::-1], np.uint8)


def lines(random: Random, data: bytes) -> bytes:
    """Leave out, repeat, exchange or put in lines of a text."""
    found = data.split(b"\n")
    for _ in range(random.choice((1, 1, 3))):
        place = random.randrange(len(found) + 1)
        odd = random.choice(TOML).encode("utf-8", "surrogatepass")
        end = place + random.randrange(2)
        found[place:end] = random.choice(([], [odd], found[:place] or [odd]))
    return b"\n".join(found)


def words(random: Random, data: bytes) -> bytes:
    """Exchange what stands behind an equals sign."""
    found = data.split(b"\n")
    places = [at for at, line in enumerate(found) if b"=" in line]
    place = random.choice(places)
    odd = (*map(str, NUMBERS), "''", "[]", "{}", "true", "nan", "'x'", "[1, 'a']", CANARY)
    found[place] = found[place].partition(b"=")[0] + b"= " + random.choice(odd).encode()
    return b"\n".join(found)


def plain(random: Random, data: bytes) -> bytes:
    """Change plain values in JSON, in one line of several."""
    found = data.split(b"\n")
    place = random.randrange(len(found))
    tree = json.loads(found[place])
    changed(random, tree)
    deep = b"[" * 100_000, b"[" + b"[]," * 2**18 + b"[]]", b'{"iteration": ' * 50_000
    text = random.choice(deep) if random.random() < 0.1 else json.dumps(tree).encode()
    return b"\n".join([*found[:place], text, *found[place + 1 :]])


def one_of_them(random: Random, data: bytes) -> bytes:
    """Change an array in an archive."""
    from dump_mutations import built

    members = members_of(data)
    place = random.randrange(len(members))
    members[place] = (members[place][0], array(random, members[place][1]))
    return built(members)


def rebuilt(random: Random, data: bytes) -> bytes:
    """Change the state of a training and make its digest right again."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    facts = json.loads(header["__metadata__"]["facts"])
    changed(random, facts)
    header["__metadata__"]["facts"] = json.dumps(facts)
    text = json.dumps(header).encode()
    return resealed(len(text).to_bytes(8, "little") + text + data[8 + size :])


def resealed(data: bytes) -> bytes:
    """Return a state of a training with the digest that belongs to it."""
    import tempfile

    from converters import read_checkpoint
    from stdc_port.training.state import digest

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        path.write_bytes(data)
        read = read_checkpoint(path)
        right = digest({key: one.load() for key, one in read.items()}, read.metadata["facts"])
        return data.replace(read.metadata["sha256"].encode(), right.encode())


def sized(random: Random, data: bytes) -> bytes:
    """Write a telling number into the head of a picture, its checksums left wrong or right."""
    place = random.randrange(min(len(data), 80))
    size = random.choice((1, 2, 4))
    value = random.choice((*NUMBERS, 1000, 9000, 20000)) % 2 ** (8 * size)
    order = random.choice(("little", "big"))
    made = data[:place] + value.to_bytes(size, order) + data[place + size :]
    if made.startswith(b"\x89PNG") and len(made) > 33:
        made = made[:29] + zlib.crc32(made[12:29]).to_bytes(4, "big") + made[33:]
    return made[: max(len(data), 34)]


_TOML: tuple[Mutation, ...] = (lines, words, words, lines)
_JSON: tuple[Mutation, ...] = (plain,) * 4
BY_FORMAT: dict[str, tuple[Mutation, ...]] = {
    "rules.toml": _TOML,
    "recipe.toml": _TOML,
    "recipe.json": _JSON,
    "part.json": _JSON,
    "log.jsonl": _JSON,
    "state.safetensors": (rebuilt, rebuilt, rebuilt, safetensors),
    "input.npy": (array,) * 4,
    "input.npz": (one_of_them, one_of_them, one_of_them, resized, packed),
    "packed.npz": (packed, packed, resized),
    **dict.fromkeys(PICTURES, (sized, sized)),
}
