"""Data from files and from the spec itself, targets that suit the loss, and files that lie."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.errors import SpecError, SpecProblem
from gradcli.spec import load_text
from gradcli.spec.plan import ArrayPlan, Plan

X = np.arange(12.0).reshape(4, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.savez(tmp_path / "plain.npz", x=X, y=np.array([0, 1, 2, 1]), z=X[:, :1].astype(">f4"))
    np.savez_compressed(tmp_path / "packed.npz", x=np.asfortranarray(X), y=np.int8([0, 1, 2, 1]))
    np.save(tmp_path / "one.npy", X)
    (tmp_path / "table.csv").write_text('\ufeffa, b,"c"\n1,2.5,0\n\n-3e1,4,1\n5,6,2\n', "utf-8")
    return tmp_path


def plan_of(data: str, folder: Path | str = "", rest: str = "loss: mse") -> Plan:
    return load_text(f"gradcli: 1\ndata: {data}\n{rest}\n", "spec.yaml", folder=folder)


def problem_of(data: str, folder: Path | str = "", rest: str = "loss: mse") -> SpecProblem:
    with pytest.raises(SpecError) as caught:
        plan_of(data, folder, rest)
    (problem,) = caught.value.errors
    return problem


def values(plan: ArrayPlan | None) -> Any:
    assert plan is not None
    assert plan.values is not None
    assert plan.values.shape == plan.shape
    return plan.values


CLASSIFY = "network: [dense: 3]\nloss: cross_entropy"


@pytest.mark.parametrize("file", ["plain.npz", "packed.npz"])
@pytest.mark.parametrize("batch", ["", ", batch: 4", ", batch: 2"])
def test_npz(file: str, batch: str, folder: Path) -> None:
    plan = plan_of(f"{{file: {file}, inputs: x, targets: y{batch}}}", folder, CLASSIFY)
    rows = 2 if "2" in batch else 4
    np.testing.assert_array_equal(values(plan.inputs), X[:rows])
    np.testing.assert_array_equal(values(plan.targets["targets"]), [0, 1, 2, 1][:rows])
    assert values(plan.inputs).dtype == np.float64
    target = plan.targets["targets"]
    assert (target.dtype, values(target).dtype) == ("int", "int64")


def test_byte_order_of_others(folder: Path) -> None:
    plan = plan_of("{file: plain.npz, inputs: z, targets: z}", folder)
    np.testing.assert_array_equal(values(plan.inputs), X[:, :1])


def test_npy(folder: Path) -> None:
    plan = plan_of("{file: one.npy, targets: auto, batch: 3}", folder)
    np.testing.assert_array_equal(values(plan.inputs), X[:3])
    problem = problem_of("{file: one.npy, targets: y}", folder)
    assert (problem.code, problem.key) == ("SP007", "data.targets")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the first line of table.csv is empty it names the columns"),
        ("a;b;c\n1;2;0\n", "one column, 'a;b;c' columns are separated by commas"),
        ("a\tb\tc\n1\t2\t0\n", "columns are separated by commas"),
        ("a,a,b,c\n1,1,2,0\n", "table.csv has 2 columns called 'a'"),
    ],
)
def test_a_table_that_is_none_is_told(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(SpecError) as caught:
        plan_of("{file: table.csv, inputs: [a, b], targets: c}", tmp_path, CLASSIFY)
    (problem,) = caught.value.errors
    assert problem.code == "SP013"
    assert said in f"{problem.message} {problem.hint}"


def test_csv(folder: Path) -> None:
    plan = plan_of("{file: table.csv, inputs: [b, a], targets: c}", folder, CLASSIFY)
    np.testing.assert_array_equal(values(plan.inputs), [[2.5, 1], [4, -30], [6, 5]])
    np.testing.assert_array_equal(values(plan.targets["targets"]), [0, 1, 2])
    rest = "network: [dense: 2]\nloss: mse"
    plan = plan_of("{file: table.csv, inputs: a, targets: [b, c], batch: 1}", folder, rest)
    assert (values(plan.inputs).shape, values(plan.targets["targets"]).shape) == ((1, 1), (1, 2))


def test_drawn_inputs_are_not_drawn_yet() -> None:
    data = "{inputs: {shape: [4, 2], distribution: uniform, std: 0.5}, batch: 3}"
    plan = plan_of(data, rest="network: [tanh]")
    assert plan.inputs == ArrayPlan((3, 2), distribution="uniform", std=0.5)


@pytest.mark.parametrize(
    ("loss", "dtype", "allowed"),
    [("mse", "float64", None), ("binary_cross_entropy", "float64", {0.0, 1.0})],
)
def test_targets_drawn_to_suit(loss: str, dtype: str, allowed: set[float] | None) -> None:
    text = "{inputs: {shape: [64, 3]}, targets: auto}"
    target = plan_of(text, rest=f"loss: {loss}").targets["targets"]
    assert (target.shape, target.dtype) == ((64, 3), dtype)
    if allowed is not None:
        assert set(np.unique(values(target))) == allowed
        again = plan_of(text, rest=f"loss: {loss}").targets["targets"]
        np.testing.assert_array_equal(values(again), values(target))
        other = plan_of(text, rest=f"loss: {loss}\nseed: 1").targets["targets"]
        assert (values(other) != values(target)).any()


def test_labels_drawn_below_the_number_of_classes() -> None:
    plan = plan_of("{inputs: {shape: [8, 5]}, targets: auto}", rest="loss: cross_entropy")
    target = plan.targets["targets"]
    assert (target.shape, target.dtype, target.high) == ((8,), "int", 5)


@pytest.mark.parametrize(
    ("loss", "shape", "targets", "expected"),
    [
        ("mse", [3, 1], "[1, 2, 3]", [[1.0], [2.0], [3.0]]),
        ("mse", [2, 2], "[[1, 2], [3, 4]]", [[1.0, 2.0], [3.0, 4.0]]),
        ("cross_entropy", [2, 3], "[2, 0.0]", [2, 0]),
        ("cross_entropy", [1, 2], "[[0.25, 0.75]]", [[0.25, 0.75]]),
        ("cross_entropy", [2, 3, 2], "[[0, 1, 1], [1, 0, 1]]", [[0, 1, 1], [1, 0, 1]]),
        ("binary_cross_entropy", [2, 1], "[0, 0.5]", [[0.0], [0.5]]),
    ],
)
def test_targets_as_written(loss: str, shape: list[int], targets: str, expected: Any) -> None:
    plan = plan_of(
        f"{{inputs: {{shape: {shape}}}, targets: {{values: {targets}}}}}", rest=f"loss: {loss}"
    )
    found = values(plan.targets["targets"])
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.asarray(expected).dtype


@pytest.mark.parametrize("targets", ["[[1], [2]]", "[[1, 2, 3]]", "[1]", "[[[1, 2]], [[3, 4]]]"])
def test_nothing_else_is_broadcast(targets: str) -> None:
    problem = problem_of(f"{{inputs: {{shape: [2, 2]}}, targets: {{values: {targets}}}}}")
    assert problem.code == "SP012"
    assert "[2, 2]" in problem.message
    assert problem.hint == "mse expects [2, 2]"


def test_one_column_of_labels_is_not_a_row_of_probabilities() -> None:
    data = "{inputs: {shape: [2, 3]}, targets: {values: [[0], [1]]}}"
    problem = problem_of(data, rest="loss: cross_entropy")
    assert problem.code == "SP012"
    assert problem.hint == "cross_entropy expects [2] or [2, 3]"


def test_targets_have_to_suit_every_loss_of_a_sum() -> None:
    data = "{inputs: {shape: [1, 2]}, targets: {values: [[0, 3]]}}"
    problem = problem_of(data, rest="loss: {sum: [mse, binary_cross_entropy]}")
    assert problem.code == "SP015"


def npy_header(shape: str, descr: str = "<f8", order: str = "False") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def npz_of(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
    return file.getvalue()


LIES = {
    "cut-off": npz_of(npy_header("(100, 3)") + bytes(80)),
    "huge-shape": npz_of(npy_header("(100000000000, 3)") + bytes(80)),
    "digits-without-end": npz_of(npy_header(f"({'9' * 5000},)")),
    "negative": npz_of(npy_header("(-1, 3)")),
    "object": npz_of(npy_header("(1,)", "|O") + bytes(8)),
    "nested-object": npz_of(npy_header("(1,)").replace(b"'<f8'", b"[('a', 'O')]") + bytes(8)),
    "text": npz_of(npy_header("(1,)", "<U2") + bytes(8)),
    "code": npz_of(npy_header("(1,)").replace(b"False", b"exit()")),
    "no-such-type": npz_of(npy_header("(1,)", "<f3") + bytes(8)),
    "long-header": npz_of(b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 30) + b" " * 100),
    "no-header": npz_of(b"\x93NUM"),
    "damaged": npz_of(npy_header("(40, 3)") + bytes(960)).replace(b"x.npy", b"y.npy", 1),
    "checksum": npz_of(npy_header("(2,)") + bytes(16)),
}


@pytest.mark.parametrize("lie", LIES)
def test_files_that_lie(lie: str, tmp_path: Path) -> None:
    content = LIES[lie]
    if lie == "checksum":
        at = content.index(b"PK\x01\x02") + 16
        content = content[:at] + b"\0\0\0\0" + content[at + 4 :]
    (tmp_path / "lie.npz").write_bytes(content)
    problem = problem_of("{file: lie.npz, inputs: x, targets: auto}", tmp_path)
    assert problem.code == "SP013"
    assert "lie.npz" in problem.message or "array 'x'" in problem.message


def test_a_compressed_bomb_is_refused_by_its_declared_size(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w") as stream,
    ):
        stream.write(npy_header("(64, 1048576)", "|u1"))
        for _ in range(64):
            stream.write(bytes(1 << 20))
    text = "gradcli: 1\ndata: {file: bomb.npz, inputs: x, targets: auto}\nloss: mse\n"
    tracemalloc.start()
    with pytest.raises(SpecError, match="SP016"):
        load_text(text, folder=tmp_path, max_memory=64 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_nothing_is_allocated_for_what_does_not_fit() -> None:
    text = "{inputs: {shape: [100000, 5000]}, targets: auto}"
    tracemalloc.start()
    problem = problem_of(text, rest="network: [dense: 1000000, tanh]\nloss: binary_cross_entropy")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problem.code == "SP016"
    assert peak < 4 << 20


def test_weights_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{"head.weight": np.float32([[1, 2]])})
    rest = "network: [dense: 2, dense: {units: 1, name: head}]\nweights: w.npz"
    plan = plan_of("{inputs: {shape: [3, 2]}}", tmp_path, rest)
    assert list(plan.weights) == ["head.weight"]
    np.testing.assert_array_equal(plan.weights["head.weight"], [[1.0, 2.0]])
    np.savez(tmp_path / "w.npz", **{"head.weight": [[1, np.inf]]})
    problem = problem_of("{inputs: {shape: [3, 2]}}", tmp_path, rest)
    assert (problem.code, problem.key) == ("SP014", "weights")
