"""Evidence bundles: the same bytes from the same files, and whatever is touched is named, to the byte."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import archive, manifest, signature, trace
from evidence.__main__ import run
from evidence.check import check
from evidence.contents import gather
from fault import Fault
from tests.unit.evidence_sample import FILES, LISTED, first_other, key, named_byte, seal, verdict
from tests.unit.report_sample import report as sample

__all__ = ["key", "seal"]  # fixtures


def test_the_same_files_give_the_same_bytes() -> None:
    shuffled = dict(reversed(FILES.items()))
    assert archive.build(manifest.render(shuffled), b"s", shuffled) == archive.build(LISTED, b"s", FILES)


def test_an_untouched_bundle_is_good_and_says_who_signed(tmp_path: Path, key: Path, seal: bytes) -> None:
    path = tmp_path / "bundle.tar"
    path.write_bytes(archive.build(LISTED, seal, FILES))
    found = check(path, key.with_name("signers"))
    assert (found.complaints, found.signer, found.files) == ([], "auditor@example", len(FILES))


def test_a_file_is_told_from_two_of_its_copy_its_hash_and_what_is_found() -> None:
    data = bytes(200)
    entry = manifest.describe("x", data)
    assert manifest.original(entry, b"other") == data
    assert manifest.original(entry.model_copy(update={"packed": "AAAA"}), data) == data
    assert manifest.original(entry.model_copy(update={"sha256": "0" * 64}), data) == data
    assert manifest.original(entry.model_copy(update={"packed": "AAAA"}), b"other") is None
    assert manifest.original(entry.model_copy(update={"size": 199}), b"other") is None


@pytest.mark.parametrize(
    ("found", "at"),
    [
        (bytes(200), None),
        (bytes(201), 200),
        (bytes(130), 130),
        (bytes(70) + b"abc" + bytes(127), 70),
        (b"", 0),
    ],
)
def test_the_first_other_byte_is_found(found: bytes, at: int | None) -> None:
    assert manifest.first_difference(bytes(200), found) == at


def _offset(whole: bytes, name: str) -> int:
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        return tar.getmember(name).offset_data


@pytest.mark.parametrize(("name", "at"), [("a.txt", 0), ("facts/node-1.json", 500), ("results.json", 2)])
def test_a_touched_file_is_named_with_its_byte_and_the_archives(
    tmp_path: Path, key: Path, seal: bytes, name: str, at: int
) -> None:
    whole = bytearray(archive.build(LISTED, seal, FILES))
    place = _offset(bytes(whole), name) + at
    whole[place] ^= 1
    said = verdict(tmp_path, bytes(whole), key)
    assert said == [f"{name}: first touched at byte {at} (byte {place} of the archive)"]


@pytest.mark.parametrize("other", [1, 16, 64])
def test_no_touched_byte_of_a_header_hides_what_stands_behind_it(seal: bytes, other: int) -> None:
    good = archive.build(LISTED, seal, FILES)
    second = archive.span(len(LISTED))
    for at in (*range(512), *range(second, second + 512)):
        whole = bytearray(good)
        whole[at] ^= other
        found = trace.read(bytes(whole))
        assert (found.listed, found.seal, found.files) == (LISTED, seal, FILES), at


@pytest.mark.parametrize("which", ["first", "copy"])
def test_a_touched_signature_is_named_by_the_other_one(
    tmp_path: Path, key: Path, seal: bytes, which: str
) -> None:
    whole = bytearray(archive.build(LISTED, seal, FILES))
    place = (whole.index if which == "first" else whole.rindex)(seal) + 150
    whole[place] ^= 1
    said = verdict(tmp_path, bytes(whole), key)
    name = archive.SIGNATURE if which == "first" else archive.SEAL_COPY
    assert said == [f"{name}: first touched at byte 150 (byte {place} of the archive)"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_one_touched_byte_is_named_wherever_it_stands(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, key: Path, seal: bytes
) -> None:
    good = archive.build(LISTED, seal, FILES)
    whole = bytearray(good)
    parts = [LISTED, seal, *FILES.values()]  # each part as often as any other, however short it is
    start = data.draw(st.sampled_from([0, *(good.index(part) for part in parts if part), len(good) - 1024]))
    at = data.draw(st.integers(max(0, start - 512), min(start + 1024, len(whole) - 1)))
    whole[at] ^= data.draw(st.integers(1, 255))
    assert named_byte(verdict(tmp_path_factory.mktemp("touched"), bytes(whole), key)) == at


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_the_first_of_many_touched_bytes_is_named(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, key: Path, seal: bytes
) -> None:
    good = archive.build(LISTED, seal, FILES)
    whole, after = bytearray(good), good.index(seal) + len(seal)
    for at in data.draw(st.lists(st.integers(after, len(good) - 1), min_size=2, max_size=9, unique=True)):
        whole[at] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(after, len(whole) - 1))
        whole[at:at] = data.draw(st.binary(min_size=1, max_size=600))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(after, len(whole) - 1))
        del whole[at : at + data.draw(st.integers(1, 600))]
    said = verdict(tmp_path_factory.mktemp("touched"), bytes(whole), key)
    assert (named_byte(said) if said else None) == (
        None if whole == good else first_other(good, bytes(whole))
    )


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_whatever_is_touched_beside_the_manifest_is_never_good(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, key: Path, seal: bytes
) -> None:
    good = archive.build(LISTED, seal, FILES)
    whole = bytearray(good)
    for at in data.draw(st.lists(st.integers(0, len(good) - 1), min_size=1, max_size=20, unique=True)):
        whole[at] ^= data.draw(st.integers(1, 255))
    assert verdict(tmp_path_factory.mktemp("touched"), bytes(whole), key)


def test_a_touched_header_and_the_end_are_named(tmp_path: Path, key: Path, seal: bytes) -> None:
    good = archive.build(LISTED, seal, FILES)
    header = bytearray(good)
    place = _offset(good, "a.txt") - 512 + 136  # the time of the file
    header[place] ^= 1
    assert f"byte {place} of the archive is not as packed, around a.txt" in verdict(
        tmp_path, bytes(header), key
    )
    assert verdict(tmp_path, good + b"x", key) == [
        f"byte {len(good)} of the archive is not as packed, at its end"
    ]


def _changed(files: dict[str, bytes], seal: bytes, order: list[str] | None = None) -> bytes:
    parts = [archive.member(archive.MANIFEST, LISTED), archive.member(archive.SIGNATURE, seal)]
    parts += [archive.member(name, files[name]) for name in order or sorted(files)]
    parts += [archive.member(archive.SEAL_COPY, seal)]
    whole = b"".join(parts) + bytes(1024)
    return whole + bytes(-len(whole) % 10240)


def test_missing_extra_reordered_and_cut_are_named(tmp_path: Path, key: Path, seal: bytes) -> None:
    missing = {name: FILES[name] for name in FILES if name != "a.txt"}
    assert "a.txt is missing" in verdict(tmp_path, _changed(missing, seal), key)
    extra = {**FILES, "more.txt": b"!"}
    assert "more.txt is not in the manifest" in verdict(tmp_path, _changed(extra, seal), key)
    order = ["results.json", "a.txt", "empty", "facts/node-1.json"]
    said = verdict(tmp_path, _changed(FILES, seal, order), key)
    assert "results.json stands in another place than it was packed" in said
    good = archive.build(LISTED, seal, FILES)
    cut = verdict(tmp_path, good[: _offset(good, "facts/node-1.json") + 100], key)
    assert any(text.startswith("facts/node-1.json is missing") for text in cut)
    assert any("cannot be read to its end" in text for text in cut)


def test_a_manifest_made_to_fit_a_changed_file_is_not_believed(
    tmp_path: Path, key: Path, seal: bytes
) -> None:
    files = {**FILES, "results.json": b"{ }"}
    said = verdict(tmp_path, archive.build(manifest.render(files), seal, files), key)
    assert len(said) == 1 and "made anew or touched" in said[0]


def test_a_touched_manifest_names_its_byte(tmp_path: Path, key: Path, seal: bytes) -> None:
    at = LISTED.index(b"sha256") + 12
    listed = LISTED[:at] + (b"0" if LISTED[at : at + 1] != b"0" else b"1") + LISTED[at + 1 :]
    said = " ".join(verdict(tmp_path, archive.build(listed, seal, FILES), key))
    assert f"manifest.json: first touched at byte {at} (byte {512 + at} of the archive)" in said


def test_an_unsigned_bundle_and_a_strangers_are_red(tmp_path: Path, key: Path) -> None:
    assert verdict(tmp_path, archive.build(LISTED, None, FILES), key) == ["the manifest is not signed"]
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    said = verdict(tmp_path, archive.build(LISTED, signature.sign(LISTED, other), FILES), key)
    assert said[0].startswith("the signature does not hold: no allowed signer made it")


@pytest.mark.parametrize("kind", ["../outside", "/etc/passwd", "link"])
def test_nothing_leads_out_of_a_bundle(tmp_path: Path, key: Path, seal: bytes, kind: str) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, body in ((archive.MANIFEST, LISTED), (archive.SIGNATURE, seal), *FILES.items()):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
        info = tarfile.TarInfo(kind)
        if kind == "link":
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    assert any(kind in text for text in verdict(tmp_path, made.getvalue(), key))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.tar"]
    assert isinstance(manifest.read(LISTED.replace(b'"a.txt"', b'"../a"')), str)


def _results(tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    sample().save(path)
    return path


def test_pack_sign_and_check_as_commands(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, bundle = _results(tmp_path), tmp_path / "run.tar"
    assert run(["pack", str(results), "--out", str(bundle)]) == 0
    first = bundle.read_bytes()
    assert run(["pack", str(results), "--out", str(bundle)]) == 0
    same = bundle.read_bytes() == first  # a difference of megabytes would be told for minutes
    assert same
    signers = str(key.with_name("signers"))
    assert run(["check", str(bundle), "--signers", signers]) == 1
    assert run(["sign", str(bundle), "--key", str(key)]) == 0
    assert run(["check", str(bundle), "--signers", signers]) == 0
    assert "signed by auditor@example" in capsys.readouterr().out
    names = [name for name, _ in archive.members(bundle.read_bytes())[0]]
    assert {"results.json", "run.json", "region.json"} <= set(names)
    assert any(name.startswith("facts/") for name in names)
    assert any(name.startswith("controls/catalogue/") for name in names)


def test_a_bundle_that_was_touched_is_not_signed(tmp_path: Path, key: Path) -> None:
    path = tmp_path / "b.tar"
    path.write_bytes(archive.build(LISTED, None, {**FILES, "a.txt": b"other"}))
    with pytest.raises(Fault, match="no bundle as it was packed"):
        run(["sign", str(path), "--key", str(key)])


def test_wrong_use_is_one_line(tmp_path: Path, key: Path) -> None:
    with pytest.raises(Fault, match="run `make verify` first"):
        run(["pack", str(tmp_path / "none.json")])
    with pytest.raises(Fault, match="is no file"):
        signature.sign(b"", tmp_path / "none")
    bundle = tmp_path / "b.tar"
    bundle.write_bytes(archive.build(LISTED, b"x", FILES))
    with pytest.raises(Fault, match="never by the bundle"):
        check(bundle, tmp_path / "nobody")


def test_a_secret_in_the_evidence_stops_the_packing(tmp_path: Path) -> None:
    path = _results(tmp_path)
    data = json.loads(path.read_text())
    data["results"][0]["evidence"] = "PreSharedKey: hunter2hunter2"
    path.write_text(json.dumps(data))
    with pytest.raises(Fault, match="something like a secret"):
        gather(path, Path(__file__).resolve().parents[2])
