"""Other recognisers, timed over the same recordings.

Argument: threads. Standard input: for each recording the number of its samples (uint32) and these (int16, 16 kHz), both
little-endian. Prints one JSON object a recogniser; "missing" says why one could not run. Loading is not counted.
"""

import importlib.metadata
import json
import os
import resource
import struct
import sys
import time

threads = int(sys.argv[1])


def pocketsphinx():
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=16000, loglevel="FATAL")

    def run(pcm):
        decoder.start_utt()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        decoder.hyp()

    return run


def faster_whisper():
    import numpy
    from faster_whisper import WhisperModel

    options = {"device": "cpu", "compute_type": "int8", "cpu_threads": threads}
    model = WhisperModel("tiny.en", local_files_only=True, **options)

    def run(pcm):
        samples = numpy.frombuffer(pcm, numpy.int16).astype(numpy.float32) / 32768
        list(model.transcribe(samples, language="en", beam_size=5)[0])

    return run


def moonshine():
    # Only what was downloaded before, as above.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import numpy
    from moonshine_onnx import MoonshineOnnxModel, load_tokenizer

    model, tokenizer = MoonshineOnnxModel(model_name="moonshine/tiny"), load_tokenizer()
    # It hears a minute at most.
    longest = 30 * 16000

    def run(pcm):
        samples = numpy.frombuffer(pcm, numpy.int16).astype(numpy.float32) / 32768
        for start in range(0, len(samples), longest):
            tokenizer.decode_batch(model.generate(samples[None, start : start + longest]))

    return run


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


recordings = []
while len(head := sys.stdin.buffer.read(4)) == 4:
    recordings.append(sys.stdin.buffer.read(2 * struct.unpack("<I", head)[0]))

for name, package, load in [
    ("PocketSphinx", "pocketsphinx", pocketsphinx),
    ("faster-whisper tiny.en int8", "faster-whisper", faster_whisper),
    ("Moonshine tiny", "useful-moonshine-onnx", moonshine),
]:
    try:
        version = importlib.metadata.version(package)
        run = load()
        start, cpu_start = time.perf_counter(), cpu()
        for pcm in recordings:
            run(pcm)
    except importlib.metadata.PackageNotFoundError:
        print(json.dumps({"recognizer": name, "missing": f"not installed (pip install {package})"}))
        continue
    except Exception as error:  # whatever a recogniser of others may raise
        why = f"{type(error).__name__}: {error}".split("\n")[0]
        print(json.dumps({"recognizer": name, "missing": why}))
        continue
    print(
        json.dumps(
            {
                "recognizer": f"{name} {version}",
                "audio_seconds": sum(map(len, recordings)) / 32000,
                "wall_seconds": time.perf_counter() - start,
                "cpu_seconds": cpu() - cpu_start,
            }
        ),
        flush=True,
    )
