"""The data of an audit of many rows, what is read from its answer, and what the page says of it."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from benchmarks import audit_scale
from benchmarks.audit_page import scale
from paribus.data.pool import Pool


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_rows_are_augmented_and_some_labels_are_wrong(tmp_path, monkeypatch, dtype):
    images, labels = np.zeros((50, 784), np.uint8), np.arange(50) % 10
    images[np.arange(50), 28 * 10 + 10 + labels] = 255  # the place of the one bright pixel says the class
    made = Pool("made", images, 255.0, labels, (28, 28), "f" * 64)
    monkeypatch.setattr("paribus.data.fashion_mnist.pool", lambda _: made)
    monkeypatch.setattr(audit_scale, "BLOCK", 700)
    wrong = audit_scale.make(tmp_path, 2_000, dtype)
    x, y = np.load(tmp_path / "X.npy", mmap_mode="r"), np.load(tmp_path / "y.npy")
    assert (x.shape, x.dtype.name) == ((2_000, 784), dtype)
    assert 0.03 < wrong.mean() < 0.07
    bright = x.argmax(axis=1)
    assert np.isin(bright // 28, (9, 10, 11)).all()  # shifted by a pixel at most
    differences = np.abs(bright % 28 - 10 - y)
    assert (differences[~wrong] <= 1).all()
    assert np.mean(differences[wrong] > 1) > 0.5
    assert np.median(x[0]) < (10 if dtype == "uint8" else 10 / 255)


def test_a_ranking_is_judged_from_the_csv_file(tmp_path):
    wrong = np.array([False, True, False, True])
    with (tmp_path / "answer.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("rank", "row", "label", "proposed", "probability_wrong", "suspicion"))
        for rank, (row, probability) in enumerate([(1, 0.9), (0, 0.6), (3, 0.4), (2, "")], start=1):
            writer.writerow((rank, row, "a", "b", probability, 0.0))
    found = audit_scale.judged(tmp_path / "answer.csv", wrong)
    assert found["average_precision"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert (found["listed"], found["list_precision"], found["list_recall"]) == (2, 0.5, 0.5)


def record(**other):
    return {
        "rows": 1_000_000, "type": "uint8", "file_bytes": 784_000_128, "epochs": None, "seconds": 1_000.0,
        "processor_s": 1_500.0, "stolen": 0.0, "prepared_s": 100.0, "expected_s": 500.0, "trained_s": 600.0,
        "ranked_s": 300.0,
        "peak_bytes": 3 * 2**30, "runs": 15, "wrong": 0.05, "average_precision": 0.9, "listed": 40_000,
        "list_precision": 0.9, "list_recall": 0.8, "cores": 2, **other,
    }  # fmt: skip


def test_the_page_says_what_holds_and_what_does_not():
    stopped = {"after_s": 500.0, "to_stop_s": 30.0, "code": 130, "done": 5, "resumed_s": 600.0, "same": True}
    text = scale({"audits": [record(interrupted=stopped)]})
    assert "within 8 GiB; the forecast holds within 25 %; it had 1.50 cores' time on average, of 2." in text
    assert "with 5 of 15 runs recorded" in text
    assert "the same CSV file, byte by byte" in text
    worse = record(peak_bytes=9 * 2**30, expected_s=400.0, interrupted={**stopped, "same": False}, epochs=2)
    text = scale({"audits": [worse]})
    assert "more than 8 GiB; the forecast does not hold within 25 %" in text
    assert "With --epochs 2." in text
    assert "ANOTHER CSV FILE" in text


def test_the_page_says_what_is_not_measured():
    stopped = {"after_s": 5.0, "to_stop_s": 1.0, "code": 130, "done": 8, "resumed_s": 9.0, "same": True}
    few = record(rows=1_000, interrupted=stopped)
    text = scale({"audits": [few, record(file_bytes=2**30)]})
    assert "1,000,000 rows, float32: not measured." in text
    assert "memory would come to 6 GiB." in text  # 3 GiB, and 3 more for each byte of features
    assert "compared at 1,000 rows, and at no more" in text
    wide = record(type="float32", interrupted=stopped)
    assert "measured." not in scale({"audits": [record(interrupted=stopped), wide]})
