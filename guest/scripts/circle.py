"""
circle: here and there a circle of standing stones.

A component for the world `generator` of wit/script.wit. The parameters are

    size REAL (metres along a chunk's side), height REAL (of the ground, metres), kind INTEGER (the plan's mesh of a stone)

and what comes out is an instance table: empty for most chunks, and the stones of one circle for one in eight. The same arguments
give the same bytes, on every machine.
"""

import math
import struct
from hashlib import blake2b

import wit_world
from componentize_py_types import Err
from wit_world.imports.types import Value_Integer, Value_Real

ONE_IN = 8
FEWEST_STONES = 7
MOST_STONES = 13
# Of the chunk's side: the circle stays inside of the chunk wherever it lies.
SMALLEST_RADIUS = 0.15
LARGEST_RADIUS = 0.35

# kind, x, y, z, yaw, scale, slope, moisture: a record of an instance table.
RECORD = struct.Struct("<I7f")


class Luck:
    """Numbers from 0 up to, but not including, 1: drawn from what the chunk is, never from a clock."""

    def __init__(self, *what):
        self.what = struct.pack("<Qii", *what)
        self.drawn = 0

    def draw(self, low=0.0, high=1.0):
        self.drawn += 1
        digest = blake2b(self.what, digest_size=4, salt=struct.pack("<Q", self.drawn)).digest()
        return low + (high - low) * int.from_bytes(digest, "little") / 2**32


def number(row, i, default):
    """Value `i` as a number. Kindly: 2 for 2.0, and `default` for what is missing or of another type."""
    if i < len(row) and isinstance(row[i], (Value_Integer, Value_Real)):
        return row[i].value
    return default


class WitWorld(wit_world.WitWorld):
    def generate(self, seed, x, z, lod, parameters):
        size = float(number(parameters, 0, 64.0))
        height = float(number(parameters, 1, 0.0))
        kind = number(parameters, 2, 8)
        if not (1.0 <= size <= 1024.0 and abs(height) <= 1e6 and 0 <= kind < 2**32):
            raise Err(f"no chunk has a side of {size} m, ground at {height} m and stones of kind {kind}")

        luck = Luck(seed, x, z)
        if luck.draw() >= 1 / ONE_IN:
            return b""

        stones = FEWEST_STONES + int(luck.draw() * (MOST_STONES + 1 - FEWEST_STONES))
        radius = size * luck.draw(SMALLEST_RADIUS, LARGEST_RADIUS)
        middle_x = luck.draw(radius, size - radius)
        middle_z = luck.draw(radius, size - radius)

        table = bytearray()
        for stone in range(stones):
            angle = math.tau * stone / stones
            # Each stone faces the middle; its scale is its own.
            table += RECORD.pack(
                int(kind),
                middle_x + radius * math.cos(angle),
                height,
                middle_z + radius * math.sin(angle),
                math.pi / 2 - angle,
                luck.draw(1.0, 2.0),
                0.0,
                0.0,
            )
        return bytes(table)
