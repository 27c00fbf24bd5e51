#!/usr/bin/env python3
"""Golden bytes of a TensorBoard event file, by TensorBoard's own classes (pip install tensorboard==2.20.0)."""

import io
import json
import pathlib

import tensorboard
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


class Buffer(io.BytesIO):
    def close(self):
        pass


def scalars(wall_time, step, values):
    parts = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values]
    return event_pb2.Event(wall_time=wall_time, step=step, summary=summary_pb2.Summary(value=parts))


out = Buffer()
writer = RecordWriter(out)
for event in [
    event_pb2.Event(wall_time=1234.5, file_version="brain.Event:2"),
    scalars(1235.25, 1, [("loss", 2.5)]),
    scalars(1236.0, 300, [("dev/wer", 0.125), ("rate", 1e-3)]),
]:
    writer.write(event.SerializeToString(deterministic=True))
writer.flush()
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"tensorboard": tensorboard.__version__, "hex": out.getvalue().hex()}) + "\n")
