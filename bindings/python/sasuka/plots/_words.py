"""The captions of the plots, in English or in Lithuanian."""

from __future__ import annotations

from ..errors import InvalidArgumentError

LITHUANIAN = {
    "accuracy": "tikslumas",
    "average": "vidurkis",
    "dilation": "išplėtimas",
    "each step": "kiekvienas žingsnis",
    "epoch": "epocha",
    "input": "įvestis",
    "kernel": "branduolys",
    "layers": "sluoksniai",
    "learning rate": "mokymosi greitis",
    "loss": "nuostolis",
    "maps": "žemėlapių",
    "norm of the gradient": "gradiento norma",
    "of": "iš",
    "output": "išvestis",
    "output padding": "išvesties užpildymas",
    "padding": "užpildymas",
    "predicted": "nuspėta klasė",
    "step": "mokymo žingsnis",
    "stride": "žingsnis",
    "training": "mokymas",
    "training loss": "mokymo nuostolis",
    "transposed": "transponuota",
    "true": "tikroji klasė",
    "validation": "tikrinimas",
}
LANGUAGES: dict[str, dict[str, str]] = {"en": {}, "lt": LITHUANIAN}

_language = "en"


def set_language(name: str) -> None:
    """In which language the plots' captions are from now on: "en" or "lt"."""
    global _language
    if name not in LANGUAGES:
        raise InvalidArgumentError(f"language {name!r}; one of {', '.join(map(repr, LANGUAGES))} is expected")
    _language = name


def word(english: str) -> str:
    """A caption in the chosen language; names that come from a caller stay as they are."""
    return LANGUAGES[_language].get(english, english)
