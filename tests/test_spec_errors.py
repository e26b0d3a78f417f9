"""Every mistake a spec can have: its code, place and hint, and that all of them are reported."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest

import gradcli.ops  # noqa: F401  (fills the catalogue)
from gradcli.errors import SpecError, SpecProblem
from gradcli.spec import CODES, load_plan, load_text

GOOD_DATA = "data: {inputs: {shape: [32, 8]}, targets: auto}"


def problems(text: str, folder: Path | str = "", **options: object) -> tuple[SpecProblem, ...]:
    with pytest.raises(SpecError) as caught:
        load_text(textwrap.dedent(text), "spec.yaml", folder=folder, **options)  # type: ignore[arg-type]
    return caught.value.errors


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with good and bad files of arrays."""
    made = tmp_path_factory.mktemp("arrays")
    x = np.arange(12.0).reshape(4, 3)
    np.savez(made / "good.npz", x=x, y=np.array([0, 1, 2, 1]), half=np.float32([1, 2, 3, 4]))
    np.savez(made / "nan.npz", x=np.array([[1.0, np.nan]]), y=np.zeros((1, 2)))
    np.savez(made / "object.npz", x=np.array([{"a": 1}], dtype=object), c=np.array([1j]))
    np.savez(made / "weights.npz", **{"dense_1.wieght": np.zeros((2, 3))})
    np.savez(made / "shape.npz", **{"dense_1.weight": np.zeros((3, 2))})
    np.save(made / "one.npy", x)
    (made / "table.csv").write_text("a,b,c\n1,2,0\n3,four,1\n")
    (made / "ragged.csv").write_text("a,b\n1,2\n3\n")
    (made / "broken.npz").write_bytes(b"PK\x03\x04 not really")
    (made / "text.npy").write_text("hello")
    return made


# Each row: the spec below `gradcli: 1` (so line 2 is its first), then code, line, column, the
# underlined text, key, and part of the hint.
MISTAKES: dict[str, tuple[str, str, int, int, str, str, str]] = {
    "misspelled-key": ("dta: 1", "SP006", 2, 1, "dta", "dta", "did you mean data?"),
    "misspelled-op": (
        f"{GOOD_DATA}\nnetwork:\n  - thanh",
        "SP007", 4, 5, "thanh", "network[0]", "did you mean tanh?",
    ),
    "misspelled-option": (
        f"{GOOD_DATA}\nnetwork:\n  - dense: {{unts: 3}}",
        "SP006", 4, 13, "unts", "network[0].dense.unts", "did you mean units?",
    ),
    "misspelled-initializer": (
        f"{GOOD_DATA}\nnetwork:\n  - dense: {{units: 3, init: he_norml}}",
        "SP007", 4, 29, "he_norml", "network[0].dense.init", "did you mean he_normal?",
    ),
    "initializer-without-std": (
        f"{GOOD_DATA}\nnetwork:\n  - dense: {{units: 3, init: normal}}",
        "SP008", 4, 29, "normal", "network[0].dense.init", "expected a number",
    ),
    "misspelled-loss": (
        f"{GOOD_DATA}\nloss: cross_entorpy",
        "SP007", 3, 7, "cross_entorpy", "loss", "did you mean cross_entropy?",
    ),
    "wrong-type": (
        f"{GOOD_DATA}\nnetwork:\n  - dense: {{units: 3, bias: 1}}",
        "SP009", 4, 29, "1", "network[0].dense.bias", "expected true or false",
    ),
    "negative-units": (
        f"{GOOD_DATA}\nnetwork:\n  - dense: -4",
        "SP009", 4, 12, "-4", "network[0].dense", "expected a whole number at least 1",
    ),
    "word-for-number": (
        f"{GOOD_DATA}\nnetwork:\n  - dense: {{units: many}}",
        "SP009", 4, 20, "many", "network[0].dense.units", "expected a whole number at least 1",
    ),
    "no-is-a-word": (
        f"{GOOD_DATA}\nnetwork:\n  - dense: {{units: 2, bias: no}}",
        "SP009", 4, 29, "no", "network[0].dense.bias", "expected true or false",
    ),
    "quoted-number": ('seed: "1"', "SP009", 2, 7, '"1"', "seed", "expected a whole number"),
    "missing-option": (
        f"{GOOD_DATA}\nnetwork:\n  - dense",
        "SP008", 4, 5, "dense", "network[0]", "expected a whole number at least 1",
    ),
    "options-where-there-are-none": (
        f"{GOOD_DATA}\nnetwork:\n  - tanh: 3",
        "SP006", 4, 11, "3", "network[0].tanh", "write tanh alone",
    ),
    "two-keys-in-an-entry": (
        f"{GOOD_DATA}\nnetwork:\n  - dense: 3\n    name: head",
        "SP009", 4, 5, "dense", "network[0].dense", "dense: {...}",
    ),
    "no-entry": (
        f"{GOOD_DATA}\nnetwork:\n  - 16", "SP009", 4, 5, "16", "network[0]", "expected the name",
    ),
    "empty-network": (f"{GOOD_DATA}\nnetwork: []", "SP009", 3, 10, "[]", "network", "a list of"),
    "empty-block": (
        f"{GOOD_DATA}\nnetwork:\n  - residual: []",
        "SP009", 4, 15, "[]", "network[0].residual", "expected a list of layers",
    ),
    "duplicate-key": ("seed: 1\nseed: 2", "SP005", 3, 1, "seed", "seed", "first on line 2"),
    "duplicate-name": (
        f"{GOOD_DATA}\nnetwork:\n"
        "  - dense: {units: 2, name: a}\n  - dense: {units: 2, name: a}",
        "SP011", 5, 29, "a", "network[1].dense.name", "line 4",
    ),
    "name-of-another": (
        f"{GOOD_DATA}\nnetwork:\n  - dense: {{units: 2, name: dense_2}}\n  - dense: 2",
        "SP011", 4, 29, "dense_2", "network[0].dense.name", "line 5",
    ),
    "name-repeated": (
        f"{GOOD_DATA}\nnetwork:\n  - repeat: {{times: 2, layers: [dense: {{units: 2, name: a}}]}}",
        "SP011", 4, 57, "a", "network[0].repeat.layers[0].dense.name", "leave the name out",
    ),
    "reserved-name": (
        f"{GOOD_DATA}\nnetwork:\n  - dense: {{units: 2, name: loss}}",
        "SP011", 4, 29, "loss", "network[0].dense.name", "",
    ),
    "version": ("name: x\nloss: mse\ndata: 3", "SP009", 4, 7, "3", "data", "expected a mapping"),
    "dtype": ("dtype: float16", "SP009", 2, 8, "float16", "dtype", "did you mean"),
    "check-option": ("check: {requires: good}", "SP006", 2, 9, "requires", "check.requires",
                     "did you mean require?"),
    "check-value": ("check: {entries: some}", "SP009", 2, 18, "some", "check.entries",
                    "expected all or a whole number at least 1"),
    "expect": ("expect: maybe", "SP009", 2, 9, "maybe", "expect", "expected one of pass, fail"),
    "expect-code": ("expect: {check: GC1}", "SP009", 2, 17, "GC1", "expect.check", "GC102"),
    "nothing": ("seed: 1", "SP008", 0, 0, "", "", "a network, a loss or a definition"),
    "no-data": ("network: [dense: 3]", "SP008", 2, 1, "network", "network", "inputs: {shape"),
    "no-inputs": ("data: {targets: auto}\nloss: mse", "SP008", 2, 1, "data", "data", "inputs: {s"),
    "no-targets": (
        "data: {inputs: {shape: [4, 2]}}\nloss: mse", "SP008", 3, 7, "mse", "loss", "targets: auto",
    ),
    "shape-of-data": (
        "data: {inputs: {shape: [4]}, targets: auto}\nnetwork: [dense: 3]\nloss: mse",
        "SP012", 3, 11, "dense", "network[0].dense", "",
    ),
    "shape-of-residual": (
        f"{GOOD_DATA}\nnetwork:\n  - residual: [dense: 9]",
        "SP012", 4, 5, "residual", "network[0].residual", "",
    ),
    "shape-of-targets": (
        "data: {inputs: {shape: [4, 2]}, targets: {shape: [4, 3]}}\nloss: mse",
        "SP012", 2, 50, "[4, 3]", "data.targets.shape", "mse expects [4, 2]",
    ),
    "rows-of-targets": (
        "data: {inputs: {shape: [4, 2]}, targets: {shape: [5, 2]}}\nloss: mse",
        "SP012", 2, 50, "[5, 2]", "data.targets.shape", "mse expects [4, 2]",
    ),
    "orthogonal-bias": (
        f"{GOOD_DATA}\nnetwork:\n  - dense: {{units: 3, bias_init: orthogonal}}",
        "SP009", 4, 5, "dense", "network[0].dense", "",
    ),
    "ragged": (
        "data: {inputs: {values: [[1, 2], [3]]}}\nloss: mse",
        "SP012", 2, 34, "[3]", "data.inputs.values[1]", "",
    ),
    "word-among-values": (
        "data: {inputs: {values: [[1, two]]}}\nloss: mse",
        "SP009", 2, 30, "two", "data.inputs.values[0][1]", "expected a number",
    ),
    "nan-among-values": (
        "data: {inputs: {values: [[1, .nan]]}}\nloss: mse",
        "SP014", 2, 30, ".nan", "data.inputs.values[0][1]", "finite",
    ),
    "label": (
        "data: {inputs: {shape: [2, 3]}, targets: {values: [0, 3]}}\nloss: cross_entropy",
        "SP015", 2, 51, "[0, 3]", "data.targets.values", "from 0 to 2",
    ),
    "label-between": (
        "data: {inputs: {shape: [2, 3]}, targets: {values: [0, 1.5]}}\nloss: cross_entropy",
        "SP015", 2, 51, "[0, 1.5]", "data.targets.values", "whole numbers",
    ),
    "probabilities": (
        "data: {inputs: {shape: [1, 2]}, targets: {values: [[0.5, 0.4]]}}\nloss: cross_entropy",
        "SP015", 2, 51, "[[0.5, 0.4]]", "data.targets.values", "sum of 1",
    ),
    "binary": (
        "data: {inputs: {shape: [1, 2]}, targets: {values: [[0, 2]]}}\nloss: binary_cross_entropy",
        "SP015", 2, 51, "[[0, 2]]", "data.targets.values", "expected 0, 1 or between",
    ),
    "drawn-labels": (
        "data: {inputs: {shape: [4, 2]}, targets: {shape: [4]}}\nloss: cross_entropy",
        "SP015", 2, 50, "[4]", "data.targets.shape", "targets: auto",
    ),
    "weight-of-a-penalty": (
        f"{GOOD_DATA}\nloss: {{sum: [mse, l2]}}", "SP008", 3, 19, "l2", "loss.sum[1]", "weight",
    ),
    "loss-alone-has-no-weight": (
        f"{GOOD_DATA}\nloss: {{huber: {{weight: 2}}}}",
        "SP006", 3, 16, "weight", "loss.huber.weight", "expected delta",
    ),
    "penalty-alone": (f"{GOOD_DATA}\nloss: l2", "SP007", 3, 7, "l2", "loss", "name of a term"),
    "heads-without-multi-task": (
        f"{GOOD_DATA}\nnetwork: {{heads: {{a: [dense: 1], b: [dense: 1]}}}}\nloss: mse",
        "SP009", 4, 7, "mse", "loss", "multi_task",
    ),
    "units": (
        f"{GOOD_DATA}\nnetwork:\n  - dense: 1000000000\n  - tanh\nloss: mse",
        "SP016", 4, 5, "dense", "network[0].dense", "dense_1 alone needs",
    ),
    "rows": (
        "data: {inputs: {shape: [1000000000, 8]}, targets: auto}\nloss: mse",
        "SP016", 2, 17, "shape", "data.inputs.shape", "inputs alone needs",
    ),
    "repeat": (
        f"{GOOD_DATA}\nnetwork:\n  - repeat: {{times: 1.0e+18, layers: [relu]}}",
        "SP004", 4, 5, "repeat", "network[0].repeat", "",
    ),
    "repeat-of-repeat": (
        f"{GOOD_DATA}\nnetwork:\n"
        "  - repeat: {times: 400, layers: [repeat: {times: 400, layers: [relu]}]}",
        "SP004", 4, 5, "repeat", "network[0].repeat", "",
    ),
    "tag": ("seed: !!int 3", "SP003", 2, 7, "!!int 3", "", ""),
    "merge-key": ("check: &c {strict: true}\nflow: {<<: *c}", "SP003", 3, 8, "<<", "", ""),
    "second-document": ("seed: 1\n---\ngradcli: 1", "SP003", 3, 1, "---", "", ""),
    "unknown-alias": ("seed: *s", "SP002", 2, 7, "*s", "", ""),
    "recursive-alias": ("network: &n [residual: *n]", "SP003", 2, 24, "*n", "", ""),
    "tab": ("check:\n\tstrict: true", "SP002", 3, 1, "\t", "", "spaces"),
    "unclosed": ("network: [dense", "SP002", 3, 1, "", "", ""),
    "control-character": ("name: a\x07b", "SP002", 2, 8, "\x07", "", ""),
    "deep": (f"network: {'[' * 80}", "SP004", 2, 73, "[", "", ""),
    "key-is-a-list": ("? [a]\n: 1", "SP002", 2, 3, "[", "", ""),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(mistake: str) -> None:
    text, code, line, column, underlined, key, hint = MISTAKES[mistake]
    found = problems(f"gradcli: 1\n{text}\n")
    matching = [problem for problem in found if (problem.code, problem.line) == (code, line)]
    assert matching, found
    problem = matching[0]
    assert (problem.column, problem.key) == (column, key), problem
    assert hint in problem.hint, problem
    end = problem.column - 1 + problem.length
    if underlined:
        assert problem.source_line[problem.column - 1 : end].startswith(underlined[:1]), problem
        assert problem.length >= len(underlined) or "\n" in text, problem
    assert problem.file == "spec.yaml"


WITHOUT_A_NETWORK = {
    "misspelled-key", "quoted-number", "duplicate-key", "version", "dtype",
    "check-option", "check-value", "expect", "expect-code",
}  # fmt: skip
ALONE = sorted(set(MISTAKES) - WITHOUT_A_NETWORK)


@pytest.mark.parametrize("mistake", ALONE)
def test_one_mistake_is_one_problem(mistake: str) -> None:
    found = problems(f"gradcli: 1\n{MISTAKES[mistake][0]}\n")
    assert len(found) == 1, found


FILES = {
    "missing": ("{file: god.npz, inputs: x}", "SP013", 14, "did you mean good.npz?"),
    "suffix": ("{file: good.pkl, inputs: x}", "SP013", 14, ".npz, .npy, .csv"),
    "array-name": ("{file: good.npz, inputs: z}", "SP007", 32, "expected x, y, half"),
    "object": ("{file: object.npz, inputs: x}", "SP013", 34, "numeric dtype"),
    "complex": ("{file: object.npz, inputs: c}", "SP013", 34, ""),
    "nan": ("{file: nan.npz, inputs: x}", "SP014", 31, "finite"),
    "not-zip": ("{file: broken.npz, inputs: x}", "SP013", 14, ""),
    "not-npy": ("{file: text.npy}", "SP013", 14, ""),
    "folder": ("{file: sub.npz, inputs: x}", "SP013", 14, ""),
    "csv-column": ("{file: table.csv, inputs: [a, d]}", "SP007", 37, "expected a, b, c"),
    "csv-word": ("{file: table.csv, inputs: [a, b]}", "SP013", 33, ""),
    "csv-ragged": ("{file: ragged.csv, inputs: [a, b]}", "SP013", 34, ""),
    "batch": ("{file: good.npz, inputs: x, batch: 9}", "SP009", 42, ""),
}


@pytest.mark.parametrize("case", FILES)
def test_file_of_arrays(case: str, folder: Path) -> None:
    (folder / "sub.npz").mkdir(exist_ok=True)
    data, code, column, hint = FILES[case]
    found = problems(f"gradcli: 1\ndata: {data}\nnetwork: [dense: 2]\n", folder)
    assert [(problem.code, problem.line) for problem in found] == [(code, 2)], found
    assert found[0].column == column
    assert hint in found[0].hint


def test_object_array_is_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    np.savez(tmp_path / "trap.npz", x=np.array([Trap()], dtype=object))
    (problem,) = problems("gradcli: 1\ndata: {file: trap.npz, inputs: x}\nloss: mse\n", tmp_path)
    assert "Python objects" in problem.message
    assert not (tmp_path / "sprung").exists()


def test_weights(folder: Path) -> None:
    spec = "gradcli: 1\ndata: {{file: one.npy}}\nnetwork: [dense: 2]\nweights: {}\n"
    (unknown,) = problems(spec.format("weights.npz"), folder)
    assert (unknown.code, unknown.line, unknown.column) == ("SP007", 4, 10)
    assert "dense_1.weight" in unknown.hint
    (shape,) = problems(spec.format("shape.npz"), folder)
    assert (shape.code, shape.message) == (
        "SP012", "dense_1.weight has shape [2, 3], in shape.npz [3, 2]",
    )  # fmt: skip
    (missing,) = problems(spec.format("gone.npz"), folder)
    assert missing.code == "SP013"


def test_five_mistakes_are_five_problems() -> None:
    found = problems("""\
        gradcli: 1
        sed: 1
        data: {inputs: {shape: [32, 8]}, targets: {shape: [32, 3]}}
        network:
          - dense: {units: 16, bias: maybe}
          - thanh
          - dense: {units: 16, init: he_norml}
        loss: mea
        """)
    assert [(problem.code, problem.line, problem.column) for problem in found] == [
        ("SP006", 2, 1),
        ("SP009", 5, 30),
        ("SP007", 6, 5),
        ("SP007", 7, 30),
        ("SP007", 8, 7),
    ]


def test_shape_mismatch_behind_a_misspelled_activation_is_seen_too() -> None:
    found = problems("""\
        gradcli: 1
        data: {inputs: {shape: [4, 8]}, targets: {shape: [4, 3]}}
        network: [dense: 10, sigmid]
        loss: mse
        """)
    assert [problem.code for problem in found] == ["SP012", "SP007"]
    assert found[0].message == "targets have shape [4, 3], the outputs [4, 10]"


def test_problems_of_an_alias_are_reported_once() -> None:
    found = problems("""\
        gradcli: 1
        data: {inputs: {shape: [4, 8]}}
        network: [&d {dense: none}, *d, *d]
        """)
    assert [(problem.code, problem.column) for problem in found] == [("SP009", 22)]


def test_the_number_of_problems_is_bounded() -> None:
    found = problems("gradcli: 1\nnetwork:\n" + "- rleu\n" * 50_000)
    assert len(found) == 101
    assert found[-1].code == "SP004"


def test_alias_bomb() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    (problem,) = problems("\n".join(lines))
    assert (problem.code, problem.line) == ("SP004", 6)


@pytest.mark.parametrize(
    ("data", "code", "line", "column"),
    [
        (b"gradcli: 1\nname: \xe9\n", "SP001", 2, 7),
        (b"", "SP008", 0, 0),
        (b"# nothing\n", "SP008", 0, 0),
        (b"gradcli: 2\nname: x\ndefine: {}\n", "SP010", 1, 10),
        (b"name: x\n", "SP010", 1, 1),
        (b"gradcli: true\n", "SP010", 1, 10),
        (b"- a\n", "SP009", 1, 1),
        (b"a" * ((1 << 20) + 1), "SP004", 0, 0),
    ],
    ids=["latin-1", "empty", "comment", "version-2", "no-version", "true", "list", "too-large"],
)
def test_whole_file(data: bytes, code: str, line: int, column: int) -> None:
    with pytest.raises(SpecError) as caught:
        load_text(data, "spec.yaml")
    assert (code, line, column) in [(e.code, e.line, e.column) for e in caught.value.errors]


def test_unreadable_files(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.yaml", tmp_path):
        with pytest.raises(SpecError) as caught:
            load_plan(path)
        (problem,) = caught.value.errors
        assert (problem.code, problem.file) == ("SP001", str(path))


def test_every_code_says_what_it_means() -> None:
    for code, (name, meaning, _) in CODES.items():
        assert code[:3] == "SP0"
        assert name.replace("-", "").isalpha()
        assert meaning
    assert len({code.name for code in CODES.values()}) == len(CODES)
