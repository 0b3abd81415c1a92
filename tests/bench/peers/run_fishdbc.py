"""FISHDBC (PyPI: fishdbc, rapidfuzz) over a recording, with the distance that `raceline cluster` uses. Prints seconds as JSON."""
import csv
import json
import sys
import time

import fishdbc
from rapidfuzz.distance import Levenshtein


def distance(a, b):
    longest = max(len(a[0]), len(b[0]))
    title = Levenshtein.distance(a[0], b[0]) / longest if longest else 0
    union = len(a[1] | b[1])
    metadata = 1 - len(a[1] & b[1]) / union if union else 0
    return 0.6 * title + 0.4 * metadata


with open(sys.argv[1], newline="", encoding="utf-8") as file:
    races = [(row["title"], frozenset(json.loads(row["metadata"]).items())) for row in csv.DictReader(file)]
started, cpu = time.perf_counter(), time.process_time()
clusterer = fishdbc.FISHDBC.from_metric(distance, min_samples=3)
clusterer.update(races)
labels = clusterer.cluster()[0]
print(json.dumps({"wall_sec": time.perf_counter() - started, "cpu_sec": time.process_time() - cpu, "labels": [int(label) for label in labels]}))
