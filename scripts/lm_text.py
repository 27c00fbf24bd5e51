#!/usr/bin/env python3
"""The text that the English language model is estimated from, a sentence a line, to standard output.

Prose and audiobook transcripts, the texts of the speech that the English model trains on, and generated lines of what
prose does not hold: spelled names, digits, numbers, dates, addresses, orders of a spelling desk. Left out are lines that
share seven words in a row with what `audio/` says or with a dev sentence (the search's weights are chosen on those), and
lines that a corpus lists as near to test sentences.

Usage: EDDY_CORPUS=/data scripts/lm_text.py [--generated N] [--seed S] > text
       ... | eddy lm estimate --order 3 - -o lm.arpa
"""

import argparse
import json
import lzma
import os
import pathlib
import random
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPUS = pathlib.Path(os.environ.get("EDDY_CORPUS", ROOT / "../shared/corpus"))
# Speech whose texts are used, and how often each counts: small sets of a manner of their own count more than once.
SPEECH = {
    "libri": 1,
    "learner": 3,
    "actors": 2,
    "readers": 2,
    "narration": 2,
    "coffee": 4,
    "an4": 8,
    "spelling": 4,
    "prompts": 2,
}
# Speakers of training sets that models are chosen by: their texts are not used.
DEV_SPEAKERS = {f"an4_{name}" for name in ("fash", "fkdo", "fsrb", "mblw", "mdcs", "mjda", "mmtm", "mtje")}
# Sets whose dev part the search's weights are chosen on.
DEV_SETS = ("libri", "learner", "actors", "readers")
SHARED_WORDS = 7
# A shorter line is left out when it is such a sentence as a whole; one of fewer words than this is everybody's.
SHORTEST_WHOLE = 4

DIGITS = "one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
MONTHS = "january february march april may june july august september october november december".split()
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split() + [f"twenty {o}" for o in "first second third fourth fifth sixth seventh eighth ninth".split()]
ORDINALS += ["thirtieth", "thirty first"]
STREETS = "street avenue road drive lane court place boulevard way circle terrace".split()
ORDERS = "enter erase rubout go help no repeat start stop yes".split()
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def words_of(text):
    return re.findall(r"[a-z']+", text.lower())


def runs(words, length=SHARED_WORDS):
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def below_hundred(rng):
    """A number of 0 to 99 as it is said."""
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(DIGITS)
    if kind < 0.45:
        return rng.choice(TEENS)
    tens = rng.choice(TENS)
    return tens if rng.random() < 0.25 else f"{tens} {rng.choice(DIGITS)}"


def digit(rng):
    return rng.choice(["zero", "oh"]) if rng.random() < 0.12 else rng.choice(DIGITS)


def digits(rng, count):
    return " ".join(digit(rng) for _ in range(count))


def number(rng):
    kind = rng.random()
    if kind < 0.5:
        return below_hundred(rng)
    if kind < 0.8:
        return f"{below_hundred(rng)} {below_hundred(rng)}"
    hundreds = f"{rng.choice(DIGITS)} hundred"
    return hundreds if rng.random() < 0.3 else f"{hundreds} {below_hundred(rng)}"


def year(rng):
    century = rng.choice(["nineteen"] * 8 + ["eighteen", "twenty"])
    if rng.random() < 0.25:
        return f"one nine {digit(rng)} {digit(rng)}"
    return f"{century} {rng.choice(TENS + ['oh'])} {rng.choice(DIGITS)}" if rng.random() < 0.8 else f"{century} {rng.choice(TEENS + TENS)}"


def spelled(word):
    return " ".join(c for c in word if c in LETTERS)


def generated(rng, names):
    """One line."""
    name = rng.choice(names)
    kind = rng.randrange(14)
    if kind < 3:
        return spelled(name)
    if kind == 3:
        return f"{spelled(name)} {spelled(rng.choice(names))}"
    if kind == 4:
        return f"{name} {spelled(name)}"
    if kind == 5:
        return digits(rng, rng.choice([3, 4, 5, 5, 5, 6, 7, 7, 7, 8, 10, 10, 10]))
    if kind == 6:
        letters = " ".join(rng.choice(LETTERS) for _ in range(rng.randint(1, 5)))
        order = rng.choice(["rubout", "rubout", "erase", "enter", ""])
        return f"{order} {letters} {rng.choice([number, lambda r: digits(r, r.randint(1, 4))])(rng)}".strip()
    if kind == 7:
        order = rng.choice(ORDERS)
        return f"{order} {number(rng)}" if order in ("enter", "erase", "go", "repeat") and rng.random() < 0.7 else order
    if kind == 8:
        return f"{rng.choice(MONTHS)} {rng.choice(ORDINALS)} {year(rng)}"
    if kind == 9:
        month = rng.choice(MONTHS)
        return f"{month if rng.random() < 0.6 else spelled(month)} {below_hundred(rng)} {year(rng)}"
    if kind == 10:
        return f"{below_hundred(rng)} {spelled(rng.choice(MONTHS))} {year(rng)}"
    if kind == 11:
        return f"{number(rng)} {rng.choice([name, spelled(name)])} {rng.choice(STREETS)}"
    if kind == 12:
        return number(rng)
    return f"{digits(rng, rng.randint(1, 4))} {spelled(name)}"


def speech_texts():
    for name, times in SPEECH.items():
        path = CORPUS / name / "train.jsonl"
        with open(path, encoding="utf-8") as lines:
            for line in map(json.loads, lines):
                if line.get("text") and line.get("speaker") not in DEV_SPEAKERS:
                    yield from [line["text"]] * times


def dev_texts():
    for name in DEV_SETS:
        with open(CORPUS / name / "dev.jsonl", encoding="utf-8") as lines:
            yield from (json.loads(line)["text"] for line in lines)


def prose():
    folder = CORPUS / "text"
    drop = {int(number) for number in (folder / "drop-lines.txt").read_text().split()}
    with lzma.open(folder / "prose.txt.xz", "rt", encoding="utf-8") as lines:
        yield from (line.rstrip("\n") for index, line in enumerate(lines, 1) if index not in drop)
    with lzma.open(folder / "audiobooks.txt.xz", "rt", encoding="utf-8") as lines:
        yield from (line.split(maxsplit=1)[1].rstrip("\n") for line in lines if " " in line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generated", type=int, default=200_000, help="generated lines (default 200000)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    shipped = [words_of(line) for line in (ROOT / "audio/exclude.txt").read_text().splitlines()]
    dev = [words for words in map(words_of, dev_texts()) if len(words) >= SHORTEST_WHOLE]
    forbidden = set().union(*map(runs, shipped + dev))
    # Short ones only as whole lines.
    whole = {" ".join(words) for words in shipped + dev if len(words) < SHARED_WORDS}
    names, left_out = {}, 0
    for source in (speech_texts(), prose()):
        for line in source:
            words = words_of(line)
            if " ".join(words) in whole or not forbidden.isdisjoint(runs(words)):
                left_out += 1
                continue
            # What is written with a capital inside a sentence is a name, as far as this needs to know.
            if not line.isupper():
                for word in re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,11}\b", line):
                    names[word.lower()] = names.get(word.lower(), 0) + 1
            print(line)
    known = sorted(name for name, count in names.items() if count >= 3)
    for _ in range(arguments.generated):
        print(generated(rng, known))
    print(f"{left_out} lines left out for audio/ and dev sentences, {len(known)} names", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(1)
