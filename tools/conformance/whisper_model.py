"""A model of random weights in whisper.cpp's own file format, and a second of sound: enough to make it compute.

The file is the magic number, eleven sizes, the mel filters, the vocabulary, and then one record for each tensor: the
number of dimensions, the length of the name, the type, the dimensions (fastest first), the name, the data.
"""
import math
import random
import struct
import wave

MAGIC = 0x67676D6C
F32, F16 = 0, 1
WORDS = 51864  # the English vocabulary's size: whisper.cpp knows by it which tokens are special
SPECIAL_WORDS = 107
SOUND_CONTEXT, TEXT_CONTEXT = 1500, 448  # thirty seconds of sound; both fixed by the programs
WIDTH, HEADS, LAYERS, MELS, FREQUENCIES = 128, 2, 4, 80, 201  # four layers: with two it is taken for a distilled model
SAMPLE_RATE = 16000


class _Writer:
    def __init__(self, file, seed):
        self._file = file
        random_numbers = random.Random(seed)
        self._choose = random_numbers.choices
        self._values = [random_numbers.gauss(0, 0.05) for _ in range(4096)]

    def integers(self, *numbers):
        self._file.write(struct.pack(f"<{len(numbers)}i", *numbers))

    def text(self, data):
        self.integers(len(data))
        self._file.write(data)

    def floats(self, values):
        self._file.write(struct.pack(f"<{len(values)}f", *values))

    def tensor(self, name, *dimensions, kind=F16, values=None):
        """`dimensions` as ggml has them, the fastest first."""
        self.integers(len(dimensions), len(name), kind, *dimensions)
        self._file.write(name.encode())
        values = values or self._choose(self._values, k=math.prod(dimensions))
        self._file.write(struct.pack(f"<{len(values)}{'e' if kind == F16 else 'f'}", *values))

    def linear(self, name, inputs, outputs, with_bias=True):
        self.tensor(f"{name}.weight", inputs, outputs)
        if with_bias:
            self.tensor(f"{name}.bias", outputs, kind=F32)

    def norm(self, name):
        self.tensor(f"{name}.weight", WIDTH, kind=F32, values=[1.0] * WIDTH)
        self.tensor(f"{name}.bias", WIDTH, kind=F32, values=[0.0] * WIDTH)

    def attention(self, name):
        for part in ("query", "value", "out"):
            self.linear(f"{name}.{part}", WIDTH, WIDTH)
        self.linear(f"{name}.key", WIDTH, WIDTH, with_bias=False)
        self.norm(f"{name}_ln")

    def block(self, name, looks_at_sound):
        self.attention(f"{name}.attn")
        if looks_at_sound:
            self.attention(f"{name}.cross_attn")
        self.linear(f"{name}.mlp.0", WIDTH, 4 * WIDTH)
        self.linear(f"{name}.mlp.2", 4 * WIDTH, WIDTH)
        self.norm(f"{name}.mlp_ln")


def write_model(path, seed=1):
    with open(path, "wb") as file:
        writer = _Writer(file, seed)
        writer.integers(MAGIC, WORDS, SOUND_CONTEXT, WIDTH, HEADS, LAYERS, TEXT_CONTEXT, WIDTH, HEADS, LAYERS, MELS, F16)
        writer.integers(MELS, FREQUENCIES)
        writer.floats(_filters())
        writer.integers(WORDS - SPECIAL_WORDS)  # the special tokens are not written down
        writer.text(b" ")  # the blank, for which whisper.cpp looks
        for number in range(1, WORDS - SPECIAL_WORDS):
            writer.text(b" w%d" % number)
        _write_encoder(writer)
        _write_decoder(writer)


def _write_encoder(writer):
    writer.tensor("encoder.positional_embedding", WIDTH, SOUND_CONTEXT, kind=F32)
    writer.tensor("encoder.conv1.weight", 3, MELS, WIDTH)
    writer.tensor("encoder.conv1.bias", 1, WIDTH, kind=F32)
    writer.tensor("encoder.conv2.weight", 3, WIDTH, WIDTH)
    writer.tensor("encoder.conv2.bias", 1, WIDTH, kind=F32)
    writer.norm("encoder.ln_post")
    for layer in range(LAYERS):
        writer.block(f"encoder.blocks.{layer}", looks_at_sound=False)


def _write_decoder(writer):
    writer.tensor("decoder.positional_embedding", WIDTH, TEXT_CONTEXT, kind=F32)
    writer.tensor("decoder.token_embedding.weight", WIDTH, WORDS)
    writer.norm("decoder.ln")
    for layer in range(LAYERS):
        writer.block(f"decoder.blocks.{layer}", looks_at_sound=True)


def _filters():
    """Overlapping triangles, evenly spaced: whisper's are spaced as the ear hears, which random weights do not."""
    step = FREQUENCIES / (MELS + 1)
    return [max(0.0, 1 - abs(frequency - (mel + 1) * step) / step)
            for mel in range(MELS) for frequency in range(FREQUENCIES)]


def write_sound(path, seconds=2):
    """A rising tone."""
    samples = [int(12000 * math.sin(2 * math.pi * (220 + 110 * n / SAMPLE_RATE) * n / SAMPLE_RATE))
               for n in range(seconds * SAMPLE_RATE)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
