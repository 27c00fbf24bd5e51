"""Golden MFCC: kaldi-native-fbank on three recordings of audio/, with 40 cepstra of 40 mel filters and 13 of 23.

Run: pip install kaldi-native-fbank==1.22.3 numpy && python3 tests/golden/mfcc.py
Writes tests/golden/mfcc/NAME-CEPS.npy, float32 [T, CEPS]. Tolerance in tests: 1e-3 per coefficient.
"""

import pathlib
import wave

import kaldi_native_fbank as knf
import numpy as np

HERE = pathlib.Path(__file__).parent
print("kaldi-native-fbank", getattr(knf, "__version__", "?"), "NumPy", np.__version__)

for name in ["02-letters", "03-digits", "09-audiobook"]:
    with wave.open(str(HERE / f"../../audio/{name}.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
    for mels, ceps in [(40, 40), (23, 13)]:
        options = knf.MfccOptions()
        options.frame_opts.dither = 0
        options.frame_opts.snip_edges = True
        options.frame_opts.samp_freq = 16000
        options.mel_opts.num_bins = mels
        options.mel_opts.low_freq = 20
        options.mel_opts.high_freq = -400
        options.num_ceps = ceps
        options.use_energy = False
        mfcc = knf.OnlineMfcc(options)
        mfcc.accept_waveform(16000, samples.tolist())
        mfcc.input_finished()
        frames = np.stack([mfcc.get_frame(t) for t in range(mfcc.num_frames_ready)])
        (HERE / "mfcc").mkdir(exist_ok=True)
        np.save(HERE / f"mfcc/{name}-{ceps}.npy", frames.astype("<f4"))
