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

from evidence import archive, manifest, signature
from evidence.__main__ import run
from evidence.check import check
from evidence.contents import gather
from fault import Fault
from tests.unit.report_sample import report as sample

FILES = {
    "a.txt": b"first " * 40,
    "empty": b"",
    "facts/node-1.json": bytes(range(256)) * 3,
    "results.json": b"{}\n",
}
LISTED = manifest.render(FILES)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key made for this test, with the signers that believe it beside it."""
    folder = tmp_path_factory.mktemp("key")
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "auditor", "-f", str(folder / "key")]
    subprocess.run(argv, check=True)
    public = (folder / "key.pub").read_text()
    (folder / "signers").write_text(f'auditor@example namespaces="{signature.NAMESPACE}" {public}')
    return folder / "key"


@pytest.fixture(scope="module")
def seal(key: Path) -> bytes:
    return signature.sign(LISTED, key)


def verdict(tmp_path: Path, data: bytes, key: Path) -> list[str]:
    path = tmp_path / "bundle.tar"
    path.write_bytes(data)
    return check(path, key.with_name("signers")).complaints


def test_the_same_files_give_the_same_bytes() -> None:
    shuffled = dict(reversed(FILES.items()))
    assert archive.build(manifest.render(shuffled), b"s", shuffled) == archive.build(LISTED, b"s", FILES)


def test_an_untouched_bundle_is_good_and_says_who_signed(tmp_path: Path, key: Path, seal: bytes) -> None:
    path = tmp_path / "bundle.tar"
    path.write_bytes(archive.build(LISTED, seal, FILES))
    found = check(path, key.with_name("signers"))
    assert (found.complaints, found.signer, found.files) == ([], "auditor@example", len(FILES))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_one_changed_byte_of_a_file_is_named_exactly(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(["a.txt", "facts/node-1.json", "results.json"]))
    at = data.draw(st.integers(0, len(FILES[path]) - 1))
    other = data.draw(st.integers(1, 255))
    changed = bytearray(FILES[path])
    changed[at] ^= other
    entry = manifest.describe(path, FILES[path])
    assert manifest.first_difference(entry, bytes(changed)) == (at, at)


def test_more_bytes_of_a_block_name_the_block() -> None:
    entry = manifest.describe("x", bytes(200))
    assert manifest.first_difference(entry, bytes(70) + b"abc" + bytes(127)) == (64, 127)
    assert manifest.first_difference(entry, bytes(200)) is None
    assert manifest.first_difference(entry, bytes(201)) == (200, 200)
    assert manifest.first_difference(entry, bytes(130)) == (128, 130)


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


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_no_byte_of_the_archive_can_be_touched_unnoticed(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, key: Path, seal: bytes
) -> None:
    whole = bytearray(archive.build(LISTED, seal, FILES))
    at = data.draw(st.integers(0, len(whole) - 1))
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
    whole = b"".join(parts) + bytes(1024)
    return whole + bytes(-len(whole) % 10240)


def test_missing_extra_reordered_and_cut_are_named(tmp_path: Path, key: Path, seal: bytes) -> None:
    missing = {name: FILES[name] for name in FILES if name != "a.txt"}
    assert "a.txt is missing" in verdict(tmp_path, _changed(missing, seal), key)
    extra = {**FILES, "more.txt": b"!"}
    assert "more.txt is not in the manifest" in verdict(tmp_path, _changed(extra, seal), key)
    order = ["results.json", "a.txt", "empty", "facts/node-1.json"]
    said = verdict(tmp_path, _changed(FILES, seal, order), key)
    assert said[0] == "results.json stands in another place than it was packed"
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
    assert f"first touched at byte {at} of manifest.json" in said


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
    assert run(["pack", str(results), "--out", str(bundle)]) == 0 and bundle.read_bytes() == first
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
