#!/usr/bin/env python3
"""The error rates of a model card: every manifest, at each latency, greedy and with the model's language model.

Usage: scripts/report.py MODEL MANIFEST...      (EDDY names the program, default target/release/eddy)

Prints a Markdown table; the rows come as they are measured. A latency is one of those that `eddy inspect` lists.
"""

import json
import os
import subprocess
import sys

eddy = os.environ.get("EDDY", "target/release/eddy")
model, *manifests = sys.argv[1:]
if not manifests:
    sys.exit(__doc__)


def run(*arguments):
    return subprocess.run([eddy, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


latencies = [entry["latency_ms"] for entry in json.loads(run("inspect", model, "--json"))["latencies"]]
decoders = ["greedy"] + (["beam"] if os.path.exists(os.path.join(model, "lm.bin")) else [])
print("| Test set | Latency | Decoding | Words | WER % | CER % | S | D | I | RTF |")
print("|-|-|-|-|-|-|-|-|-|-|")
for manifest in manifests:
    name = "/".join(manifest.removesuffix(".jsonl").split("/")[-2:])
    for latency in latencies:
        for decoder in decoders:
            flags = ["--latency", str(latency)] if latency is not None else []
            row = json.loads(run("evaluate", "--model", model, "--decoder", decoder, "--json", *flags, manifest))
            cells = [
                name,
                f"{latency:g} ms" if latency is not None else "whole recording",
                "greedy" if decoder == "greedy" else "beam, LM",
                str(row["words"]),
                f"{100 * row['wer']:.2f}",
                f"{100 * row['cer']:.2f}",
                *(str(row[kind]) for kind in ("substitutions", "deletions", "insertions")),
                f"{row['rtf']:.3f}",
            ]
            print("| " + " | ".join(cells) + " |", flush=True)
