"""Golden values for eddy's network, from the textbook equations, step by step in NumPy.

Nothing of LibTorch is used. Cells:

    Elman  h' = tanh(W_ih x + b_ih + W_hh h + b_hh)
    LSTM   i, f, o = sigmoid(W x + b + U h + d) of their rows; g = tanh(...); c' = f c + i g; h' = o tanh(c')
    GRU    r, z = sigmoid(...); n = tanh(W_n x + b_n + r (U_n h + d_n)); h' = (1 - z) n + z h

The GRU is LibTorch's: the reset gate acts after the recurrent product (Cho et al. 2014 apply it to h before).
Output: y = W h + b, then log-softmax. The latency-controlled direction is the plain block loop.
Gradients are exact to rounding: by complex-step differentiation, d f/d w = Im f(w + i h) / h with h = 1e-30.

Run: python3 tests/golden/network.py tests/golden/network.json     (made with NumPy 2; tolerance in tests: 1e-9)
"""

import json
import sys

import numpy as np

STEP = 1e-30
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
INPUT, STACK, HIDDEN, LAYERS, VOCABULARY = 2, 2, 2, 2, 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(kind, w, x, state):
    """One time step; `state` is (h,) or (h, c)."""
    h = state[0]
    a = w["weight_ih"] @ x + w["bias_ih"]
    b = w["weight_hh"] @ h + w["bias_hh"]
    n = len(h)
    if kind == "rnn":
        return (np.tanh(a + b),)
    if kind == "lstm":
        i, f, o = (sigmoid((a + b)[k * n : (k + 1) * n]) for k in (0, 1, 3))
        g = np.tanh((a + b)[2 * n : 3 * n])
        c = f * state[1] + i * g
        return o * np.tanh(c), c
    r, z = (sigmoid((a + b)[k * n : (k + 1) * n]) for k in (0, 1))
    m = np.tanh(a[2 * n :] + r * b[2 * n :])
    return ((1 - z) * m + z * h,)


def run(kind, w, xs, state):
    """All steps: outputs and the last state."""
    ys = []
    for x in xs:
        state = step(kind, w, x, state)
        ys.append(state[0])
    return ys, state


def zero(kind):
    return tuple(np.zeros(HIDDEN) for _ in range(2 if kind == "lstm" else 1))


def layer(kind, w, main, right, state):
    """One block of one layer: outputs of main and look-ahead steps, forward state after the main part."""
    forward, state = run(kind, w["forward"], main, state)
    ahead, _ = run(kind, w["forward"], right, state)
    forward = forward + ahead
    if "backward" in w:
        backward, _ = run(kind, w["backward"], (main + right)[::-1], zero(kind))
        forward = [np.concatenate(pair) for pair in zip(forward, backward[::-1])]
    return forward[: len(main)], forward[len(main) :], state


def network(kind, weights, frames, chunk, ahead):
    """Log-probs of one utterance, block by block. `chunk`, `ahead` in stacked steps."""
    frames = list(frames) + [frames[-1]] * (-len(frames) % STACK)
    steps = [np.concatenate(frames[k : k + STACK]) for k in range(0, len(frames), STACK)]
    states = [zero(kind) for _ in range(LAYERS)]
    out = []
    for start in range(0, len(steps), chunk):
        main, right = steps[start : start + chunk], steps[start + chunk : start + chunk + ahead]
        for k in range(LAYERS):
            main, right, states[k] = layer(kind, weights["layers"][k], main, right, states[k])
        for h in main:
            y = weights["output"]["weight"] @ h + weights["output"]["bias"]
            out.append(y - np.log(np.sum(np.exp(y - y.real.max()))) - y.real.max())
    return np.array(out)


def random_weights(kind, bidirectional, rng):
    def cell(width):
        g = GATES[kind] * HIDDEN
        shapes = {"weight_ih": (g, width), "weight_hh": (g, HIDDEN), "bias_ih": (g,), "bias_hh": (g,)}
        return {name: rng.normal(0, 0.6, shape).round(6) for name, shape in shapes.items()}

    width = HIDDEN * (2 if bidirectional else 1)
    names = ["forward", "backward"] if bidirectional else ["forward"]
    layers = [{n: cell(INPUT * STACK if k == 0 else width) for n in names} for k in range(LAYERS)]
    output = {"weight": rng.normal(0, 0.6, (VOCABULARY, width)).round(6), "bias": rng.normal(0, 0.6, VOCABULARY).round(6)}
    return {"layers": layers, "output": output}


def flat(weights):
    """name -> array, with eddy's names."""
    named = {"output." + name: array for name, array in weights["output"].items()}
    for k, one in enumerate(weights["layers"]):
        for direction, cell in one.items():
            named.update({f"layers.{k}.{direction}.{name}": array for name, array in cell.items()})
    return named


def as_complex(weights):
    if isinstance(weights, dict):
        return {k: as_complex(v) for k, v in weights.items()}
    if isinstance(weights, list):
        return [as_complex(v) for v in weights]
    return weights.astype(complex)


def gradients(kind, weights, frames, chunk, ahead, mix):
    """d sum(mix * log-probs) / d w for every weight."""
    weights = as_complex(weights)
    result = {}
    for name, array in flat(weights).items():
        grad = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            array[index] += 1j * STEP
            grad[index] = np.sum(mix * network(kind, weights, frames, chunk, ahead)).imag / STEP
            array[index] -= 1j * STEP
        result[name] = grad
    return result


def main(path):
    rng = np.random.default_rng(20)
    cases = []
    for kind in GATES:
        for direction, length, chunk, ahead in [
            ("forward", 9, 99, 0),
            ("full", 9, 99, 0),
            ("latency_controlled", 15, 2, 2),
            ("latency_controlled", 11, 3, 1),
        ]:
            weights = random_weights(kind, direction != "forward", rng)
            frames = rng.normal(0, 1, (length, INPUT)).round(6)
            log_probs = network(kind, weights, frames, chunk, ahead)
            mix = rng.normal(0, 1, log_probs.shape).round(6)
            grads = gradients(kind, weights, frames, chunk, ahead, mix)
            tensors = lambda named: {n: {"shape": list(a.shape), "values": a.ravel().tolist()} for n, a in named.items()}
            cases.append(
                {
                    "cell": kind,
                    "direction": direction,
                    "chunk_frames": chunk * STACK,
                    "look_ahead_frames": ahead * STACK,
                    "frames": frames.ravel().tolist(),
                    "mix": mix.ravel().tolist(),
                    "log_probs": log_probs.ravel().tolist(),
                    "weights": tensors(flat(weights)),
                    "gradients": tensors(grads),
                }
            )
    shape = {"input_dim": INPUT, "stacking": STACK, "hidden": HIDDEN, "layers": LAYERS, "vocabulary": VOCABULARY}
    json.dump({"generator": f"network.py, NumPy {np.__version__}", "shape": shape, "cases": cases}, open(path, "w"))


main(sys.argv[1])
