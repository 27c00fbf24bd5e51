"""Golden values of tests/lm.rs: a text, its trigram model by the textbook, and what KenLM makes of sentences with it.

Made with Python 3.11, kenlm 0.3.0:

    pip install kenlm==0.3.0
    python tests/golden/lm.py tests/golden

`lm.txt`: the opening of Lincoln's Gettysburg Address (1863, public domain) and sentences drawn at random from its word
pairs, so that n-grams repeat. `lm.arpa`: interpolated modified Kneser-Ney written straight from the formulas of Chen &
Goodman (1998) with dictionaries, sharing no code or method with eddy's. `lm.json`: log10 probabilities by KenLM.
"""

import json
import math
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

ADDRESS = """four score and seven years ago our fathers brought forth on this continent a new nation
conceived in liberty and dedicated to the proposition that all men are created equal
now we are engaged in a great civil war testing whether that nation or any nation so conceived and so dedicated can long endure
we are met on a great battle field of that war
we have come to dedicate a portion of that field as a final resting place for those who here gave their lives that that nation might live
it is altogether fitting and proper that we should do this
but in a larger sense we can not dedicate we can not consecrate we can not hallow this ground""".split("\n")
ORDER = 3


def text():
    source = random.Random(1863)
    follow = defaultdict(list)
    for line in ADDRESS:
        words = ["<s>"] + line.split() + ["</s>"]
        for one, two in zip(words, words[1:]):
            follow[one].append(two)
    lines = list(ADDRESS)
    while len(lines) < 120:
        words, word = [], "<s>"
        while (word := source.choice(follow[word])) != "</s>":
            words.append(word)
        if 1 <= len(words) <= 14:
            lines.append(" ".join(words))
    return lines


def estimate(lines):
    """Probabilities of all n-grams and the interpolation weights of all histories."""
    raw = Counter()
    for line in lines:
        words = ["<s>"] + line.split() + ["</s>"]
        for length in range(1, ORDER + 1):
            for start in range(len(words) - length + 1):
                raw[tuple(words[start:start + length])] += 1
    vocabulary = sorted({word for gram in raw for word in gram} - {"<s>"} | {"<unk>"})
    prob, weight = {}, {}
    for length in range(1, ORDER + 1):
        grams = [gram for gram in raw if len(gram) == length and gram != ("<s>",)]
        count = {}
        for gram in grams:
            if length == ORDER or gram[0] == "<s>":
                count[gram] = raw[gram]
            else:
                count[gram] = sum(1 for other in raw if len(other) == length + 1 and other[1:] == gram)
        t = Counter(count.values())
        y = t[1] / (t[1] + 2 * t[2])
        discount = [0] + [j - (j + 1) * y * t[j + 1] / t[j] for j in (1, 2, 3)]
        assert all(0 <= d <= j for j, d in enumerate(discount)), discount
        histories = defaultdict(list)
        for gram in grams:
            histories[gram[:-1]].append(gram)
        for history, members in histories.items():
            total = sum(count[gram] for gram in members)
            weight[history] = sum(discount[min(count[gram], 3)] for gram in members) / total
            for gram in members:
                lower = prob[gram[1:]] if length > 1 else 1 / len(vocabulary)
                prob[gram] = (count[gram] - discount[min(count[gram], 3)]) / total + weight[history] * lower
    prob[("<unk>",)] = weight[()] / len(vocabulary)
    return prob, weight


def write(prob, weight, path):
    prob = {**{gram: math.log10(value) for gram, value in prob.items()}, ("<s>",): -99}
    with open(path, "w") as out:
        print("\\data\\", file=out)
        for length in range(1, ORDER + 1):
            print(f"ngram {length}={sum(len(gram) == length for gram in prob)}", file=out)
        for length in range(1, ORDER + 1):
            print(f"\n\\{length}-grams:", file=out)
            for gram in sorted(gram for gram in prob if len(gram) == length):
                back = f"\t{math.log10(weight[gram]):.7f}" if gram in weight and length < ORDER else ""
                print(f"{prob[gram]:.7f}\t{' '.join(gram)}{back}", file=out)
        print("\n\\end\\", file=out)


def main(folder):
    import kenlm

    lines = text()
    (folder / "lm.txt").write_text("\n".join(lines) + "\n")
    write(*estimate(lines), folder / "lm.arpa")
    model = kenlm.Model(str(folder / "lm.arpa"))
    sentences = ADDRESS[:3] + [
        "we can not dedicate a great war",
        "the world will little note",
        "nation",
        "a great great great field of liberty and lives",
        "zebras",
        "all men are met on this ground by a portion of that place",
        "years ago we have come to live",
    ]
    cases = []
    for sentence in sentences:
        words = [list(score) for score in model.full_scores(sentence)]
        cases.append({
            "sentence": sentence,
            "log10_prob": model.score(sentence),
            "words": [score[0] for score in words],
            "unknown": sum(score[2] for score in words),
            "perplexity": model.perplexity(sentence),
        })
    (folder / "lm.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


main(Path(sys.argv[1]))
