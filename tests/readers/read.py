"""Reads transcript files with readers that know nothing of eddy, and prints what they say as one JSON object.

Usage: read.py FOLDER NAME. Readers: srt 3.5.3, webvtt-py 0.6.0, textgrid 1.6.1, praat-textgrids 1.4.0, Python's csv.
"""

import csv
import html
import json
import re
import sys

import srt
import textgrid
import textgrids
import webvtt

folder, name = sys.argv[1:]
stem = f"{folder}/{name}"


def ms(seconds):
    return round(seconds * 1000)


def srt_cues():
    with open(stem + ".srt", encoding="utf-8", newline="") as file:
        cues = list(srt.parse(file.read()))
    assert [cue.index for cue in cues] == list(range(1, len(cues) + 1)), "cue numbers"
    return [[ms(cue.start.total_seconds()), ms(cue.end.total_seconds()), cue.content] for cue in cues]


def vtt_time(text):
    hours, minutes, seconds = text.split(":")
    return ms(int(hours) * 3600 + int(minutes) * 60 + float(seconds))


def vtt_cues(path):
    return [
        [vtt_time(cue.start), vtt_time(cue.end), html.unescape(cue.text), re.findall(r"<([\d:.]+)>", cue.raw_text)]
        for cue in webvtt.read(path)
    ]


def tiers():
    grid = textgrid.TextGrid.fromFile(stem + ".TextGrid")
    return {
        "end": ms(grid.maxTime),
        **{tier.name: [[ms(i.minTime), ms(i.maxTime), i.mark] for i in tier] for tier in grid},
    }


def other_tiers():
    grid = textgrids.TextGrid(stem + ".TextGrid")
    return {name: [[ms(i.xmin), ms(i.xmax)] for i in tier] for name, tier in grid.items()}


def table():
    with open(stem + ".csv", encoding="utf-8", newline="") as file:
        return [dict(row) for row in csv.DictReader(file, strict=True)]


result = {
    "srt": srt_cues(),
    "vtt": vtt_cues(stem + ".vtt"),
    "vtt_words": vtt_cues(stem + ".words.vtt"),
    "textgrid": tiers(),
    "textgrids": other_tiers(),
    "csv": table(),
}
print(json.dumps(result))
