"""Reads our Dockerfile: its instructions, stage by stage."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
FILE = CHECKOUT / "Dockerfile"


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word, and the rest on one line."""

    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        """Give the JSON form's elements, or what blanks separate."""
        return list(map(str, json.loads(self.rest))) if self.rest.startswith("[") else self.rest.split()


def instructions() -> list[Instruction]:
    """Read the file: comments dropped, continued lines joined."""
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def stages() -> list[list[Instruction]]:
    """Split by FROM."""
    found: list[list[Instruction]] = []
    for each in instructions():
        if each.word == "FROM":
            found.append([])
        if found:
            found[-1].append(each)
    return found


def last(word: str) -> Instruction:
    """Give the final stage's last instruction of this kind: the one that counts."""
    return [each for each in stages()[-1] if each.word == word][-1]


def health_check() -> list[str]:
    """Give the program of the health check, with its arguments."""
    return list(map(str, json.loads(last("HEALTHCHECK").rest.partition("CMD ")[2])))
