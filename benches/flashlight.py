"""flashlight-text's lexicon decoder on the bench's log-probs: a line `BEAM` in, a line `SECONDS<tab>TEXT` out.

Usage: flashlight.py ARPA LOG_PROBS TOKENS ALPHA BETA; LOG_PROBS are little-endian float32 [T, V], TOKENS one a line with
the blank first and the word border second.
"""

import sys
import time

# This folder comes first, and this file bears the package's name.
sys.path.pop(0)

import numpy as np
from flashlight.lib.text.decoder import CriterionType, LexiconDecoder, LexiconDecoderOptions, SmearingMode, Trie
from flashlight.lib.text.decoder.kenlm import KenLM
from flashlight.lib.text.dictionary import create_word_dict

arpa, log_probs, tokens, alpha, beta = sys.argv[1:]
tokens = open(tokens, encoding="utf-8").read().split("\n")
number = {token: index for index, token in enumerate(tokens)}
emissions = np.fromfile(log_probs, "<f4").reshape(-1, len(tokens))


def unigrams():
    inside = False
    for line in open(arpa, encoding="utf-8"):
        if line.startswith("\\"):
            inside = line.startswith("\\1-grams")
        elif inside and line.strip():
            yield line.split("\t")[1].strip()


words = [word for word in unigrams() if all(letter in number for letter in word)]
lexicon = {word: [list(word) + [tokens[1]]] for word in words}
dictionary = create_word_dict({**lexicon, "<unk>": []})
lm = KenLM(arpa, dictionary)
trie = Trie(len(tokens), number[tokens[1]])
start = lm.start(False)
for word, spellings in lexicon.items():
    _, score = lm.score(start, dictionary.get_index(word))
    for spelling in spellings:
        trie.insert([number[token] for token in spelling], dictionary.get_index(word), score)
trie.smear(SmearingMode.MAX)

print("ready", flush=True)
for line in sys.stdin:
    options = LexiconDecoderOptions(
        beam_size=int(line),
        beam_size_token=len(tokens),
        beam_threshold=15.0,
        lm_weight=float(alpha),
        word_score=float(beta),
        unk_score=float("-inf"),
        sil_score=0.0,
        log_add=True,
        criterion_type=CriterionType.CTC,
    )
    decoder = LexiconDecoder(options, trie, lm, 1, 0, dictionary.get_index("<unk>"), [], False)
    begin = time.perf_counter()
    results = decoder.decode(emissions.ctypes.data, len(emissions), len(tokens))
    seconds = time.perf_counter() - begin
    text = " ".join(dictionary.get_entry(index) for index in results[0].words if index >= 0)
    print(f"{seconds}\t{text}", flush=True)
