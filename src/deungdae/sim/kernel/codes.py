"""The numbers that stand for words in the tables."""

from __future__ import annotations

# states of a server, in the order of sim.line.STATES
RUNNING, STARVED, BLOCKED, SETUP, DOWN, MAINTENANCE, WAITING, OFF = 0, 1, 2, 3, 4, 5, 6, 7
ACTIVE = 0b00111001  # those in which it is not kept waiting by others

# what a server is at, beside NONE
PREPARES, WORKS, HOLDS = 0, 1, 2

# why it does not go on with that, beside NONE
CALLS, REPAIRS, MAINTAINS = 0, 1, 2

# what it stands for
FAILURE, PLAN = 0, 1

# what a plan of maintenance counts
OPERATION, TIME, PARTS = 0, 1, 2

# goals of a part, beside a buffer
OUT, SCRAP, SPLIT, BY_STATION = -1, -2, -3, -4

ANY = -1  # product

# the streams of a station, in their order
CYCLE, FATE, WAY, PRODUCT, PREPARE, DEFECT, INSPECTION, START = 0, 1, 2, 3, 4, 5, 6, 7
PURPOSES = ("cycle", "fate", "way", "product", "setup", "defect", "inspection", "start")

# which buffer a station takes from, and who is next in a buffer
ORDER, LONGEST, OLDEST = 0, 1, 2
FIFO, LIFO, DUE = 0, 1, 2

# kinds of slots
SERVER, ARRIVAL, CONVEYOR, RIPE, FAILS, PLANNED, CALENDAR, RELEASE, VEHICLE = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
)

# whose calendar it is
OF_STATION, OF_CREW, OF_GROUP = 0, 1, 2

# why the loop ended
DONE, MORE_PARTS, MORE_NOTES, LOCKED, STANDS = 0, 1, 2, 3, 4

STILL = 1_000_000  # events at one moment, after which time is taken to stand still

# kinds of notes
STATE, FINISHED, ENTERED, TAKEN, BORN, LEFT = 0, 1, 2, 3, 4, 5

# results of a part
GOOD, REWORK, BAD = 0, 1, 2

CLASSES = 16  # of lead times, by doubling from 1 ms on
BINS = 640  # up to 600 million years
