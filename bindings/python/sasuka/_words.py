"""What plots, and tables in notebooks, say of themselves: in English or in Lithuanian."""

from __future__ import annotations

from .errors import InvalidArgumentError

LITHUANIAN = {
    "accuracy": "tikslumas",
    "adaptive average pool": "adaptyvus vidurkis",
    "add": "sudėtis",
    "average": "vidurkis",
    "average pool": "vidurkio sutelkimas",
    "batch norm": "paketinis normavimas",
    "channel shuffle": "kanalų maišymas",
    "concatenate": "sujungimas",
    "convolution": "sąsūka",
    "dilation": "išplėtimas",
    "dropout": "išmetimas",
    "dropout2d": "erdvinis išmetimas",
    "each step": "kiekvienas žingsnis",
    "epoch": "epocha",
    "flatten": "ištiesinimas",
    "group norm": "grupinis normavimas",
    "input": "įvestis",
    "kernel": "branduolys",
    "layer": "sluoksnis",
    "layers": "sluoksniai",
    "learning rate": "mokymosi greitis",
    "lr": "mokymosi greitis",
    "linear": "visiškai sujungtas",
    "local response norm": "vietinis normavimas",
    "loss": "nuostolis",
    "maps": "žemėlapių",
    "max pool": "maksimumo sutelkimas",
    "mean": "vidurkis",
    "multiply": "sandauga",
    "multiply-adds": "daugybos su sudėtimi",
    "norm of the gradient": "gradiento norma",
    "of": "iš",
    "operator": "veiksmas",
    "output": "išvestis",
    "output padding": "išvesties užpildymas",
    "pad": "užpildymas",
    "padding": "užpildymas",
    "parameters": "parametrai",
    "permute": "ašių perstata",
    "pictures per second": "paveikslėliai per sekundę",
    "predicted": "nuspėta klasė",
    "reshape": "formos keitimas",
    "resize": "dydžio keitimas",
    "seconds": "sekundės",
    "slice": "pjūvis",
    "step": "mokymo žingsnis",
    "stochastic depth": "atsitiktinis gylis",
    "stride": "žingsnis",
    "sum": "suma",
    "total": "iš viso",
    "train accuracy": "mokymo tikslumas",
    "train loss": "mokymo nuostolis",
    "training": "mokymas",
    "training loss": "mokymo nuostolis",
    "transposed": "transponuota",
    "transposed convolution": "transponuota sąsūka",
    "true": "tikroji klasė",
    "valid accuracy": "tikrinimo tikslumas",
    "valid loss": "tikrinimo nuostolis",
    "valid top5": "tikrasis tarp penkių",
    "validation": "tikrinimas",
    "window": "langas",
}
LANGUAGES: dict[str, dict[str, str]] = {"en": {}, "lt": LITHUANIAN}

_language = "en"


def set_language(name: str) -> None:
    """In which language the captions of plots, and of tables in notebooks, are from now on: "en" or "lt"."""
    global _language
    if name not in LANGUAGES:
        raise InvalidArgumentError(f"language {name!r}; one of {', '.join(map(repr, LANGUAGES))} is expected")
    _language = name


def word(english: str) -> str:
    """A caption in the chosen language; names that come from a caller stay as they are."""
    return LANGUAGES[_language].get(english, english)
