"""Segment files: what is on disk, what is read back, and what a full disk, a crash or another writer does to them."""

import os
import random
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import cbor2
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mitmeter.archive.segments import SegmentError, SegmentReader, SegmentWriter, is_open, read, scan
from mitmeter.exchange import Place

NOW = 1795467154.123456
ADDON = Path(__file__).parents[2] / "addon"


def record(number: int, size: int = 40) -> bytes:
    return cbor2.dumps({"id": number, "body": random.Random(number).randbytes(size)})


def written(folder: Path, records: list[bytes], seal_size: int = 2**25) -> tuple[SegmentWriter, list[Place]]:
    writer = SegmentWriter(folder, seal_size=seal_size)
    return writer, [writer.append(item, NOW) for item in records]


def zstd(path: Path) -> subprocess.CompletedProcess[bytes]:
    if shutil.which("zstd") is None:
        pytest.skip("the zstd program is not installed: that it reads our segments goes unchecked")
    return subprocess.run(["zstd", "-dc", path], capture_output=True, check=False, timeout=20)


def python(code: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ADDON)}
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20, env=environment, **options)


def test_nothing_is_made_before_the_first_append(tmp_path: Path) -> None:
    SegmentWriter(tmp_path / "captures").close()
    assert not list(tmp_path.iterdir())


def test_name_tells_time_process_and_chance(tmp_path: Path) -> None:
    _, [place] = written(tmp_path, [record(1)])
    stamp, pid, chance = place.segment.removesuffix(".cborseq.zst").split("-")
    assert (stamp, pid) == ("20261123T205234123456Z", str(os.getpid()))
    assert len(chance) == 4 and int(chance, 16) >= 0


def test_places_and_reading_back_in_any_order(tmp_path: Path) -> None:
    records = [record(number, number * 1000) for number in range(20)]
    writer, places = written(tmp_path, records)
    assert [place.offset for place in places] == [sum(map(len, records[:index])) for index in range(20)]
    for when in ("open", "sealed"):
        for index in random.Random(when).sample(range(20), 20):
            assert read(tmp_path, places[index]) == records[index]
        writer.close()


def test_a_record_larger_than_every_buffer(tmp_path: Path) -> None:
    records = [record(1), record(2, 3_000_000), cbor2.dumps(bytes(5_000_000)), record(3)]
    _, places = written(tmp_path, records)
    assert [read(tmp_path, place) for place in places] == records
    assert [data for _, data in scan(tmp_path / places[0].segment)] == records


def test_sealed_at_its_size_and_begun_again(tmp_path: Path) -> None:
    records = [record(number, 400) for number in range(10)]
    writer, places = written(tmp_path, records, seal_size=1000)
    assert len({place.segment for place in places}) == 4
    assert [read(tmp_path, place) for place in places] == records
    for path in tmp_path.iterdir():
        assert is_open(path) == (path.name == places[-1].segment)
    writer.close()
    writer.close()
    assert not any(map(is_open, tmp_path.iterdir()))


def test_zstd_reads_an_open_segment_and_misses_its_end(tmp_path: Path) -> None:
    records = [record(number) for number in range(5)]
    _writer, places = written(tmp_path, records)
    shown = zstd(tmp_path / places[0].segment)
    assert shown.stdout == b"".join(records)
    assert b"premature" in shown.stderr


def test_zstd_reads_a_sealed_segment(tmp_path: Path) -> None:
    records = [record(number) for number in range(5)]
    writer, places = written(tmp_path, records)
    writer.close()
    shown = zstd(tmp_path / places[0].segment)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, b"".join(records), b"")


def test_history_that_is_sent_again_costs_little(tmp_path: Path) -> None:
    history = random.Random(1).randbytes(20_000)
    writer, [place, *_] = written(tmp_path, [cbor2.dumps([number, history]) for number in range(200)])
    writer.close()
    assert (tmp_path / place.segment).stat().st_size < 20_000 + 200 * 100


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "meter" / "captures"
    before = os.umask(umask)
    try:
        _, [place] = written(folder, [record(1)])
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert (folder / place.segment).stat().st_mode & 0o777 == 0o600


def test_torn_at_every_byte(tmp_path: Path) -> None:
    records = [record(number, 20) for number in range(4)]
    writer, places = written(tmp_path, records)
    path = tmp_path / places[0].segment
    whole_at = []
    for index in range(5):
        # The file's size after each record, seen by writing them again.
        other, _ = written(tmp_path / str(index), records[:index])
        whole_at.append(sum(item.stat().st_size for item in (tmp_path / str(index)).iterdir()) if index else 0)
        other.close()
    writer.close()
    data = path.read_bytes()
    for length in range(len(data) + 1):
        path.write_bytes(data[:length])
        readable = sum(size <= length for size in whole_at[1:])
        found = [item for _, item in scan(path)]
        assert readable <= len(found) and found == records[: len(found)]
        for index, place in enumerate(places):
            if index < readable:
                assert read(tmp_path, place) == records[index]
            elif index >= len(found):
                with pytest.raises(SegmentError, match=r"ends .* bytes before"):
                    read(tmp_path, place)


def test_scan_gives_the_offsets_of_places(tmp_path: Path) -> None:
    records = [record(number, number * 10_000) for number in range(30)]
    _, places = written(tmp_path, records)
    found = list(scan(tmp_path / places[0].segment))
    assert found == [(place.offset, item) for place, item in zip(places, records, strict=True)]


@pytest.mark.parametrize(
    ("name", "offset", "size", "message"),
    [
        pytest.param("absent.cborseq.zst", 0, 1, "cannot be opened", id="missing file"),
        pytest.param("../outside", 0, 1, "is not the name of a segment", id="a path"),
        pytest.param("", 0, 1, "is not the name of a segment", id="no name"),
        pytest.param("..", 0, 1, "is not the name of a segment", id="the parent folder"),
        pytest.param("link.cborseq.zst", 0, 1, "cannot be opened", id="a symbolic link"),
        pytest.param("text.cborseq.zst", 0, 1, "cannot be decoded", id="not zstd"),
        pytest.param("folder.cborseq.zst", 0, 1, "cannot be", id="a folder"),
        pytest.param("good.cborseq.zst", 10**9, 1, "ends 999999.* bytes before the record", id="offset past the end"),
        pytest.param("good.cborseq.zst", 0, 10**9, "ends 999999.* bytes before the end", id="size past the end"),
        pytest.param("good.cborseq.zst", -1, 5, "no record can lie", id="negative offset"),
        pytest.param("good.cborseq.zst", 0, -5, "no record can lie", id="negative size"),
    ],
)
def test_read_refuses(tmp_path: Path, name: str, offset: int, size: int, message: str) -> None:
    (tmp_path / "good.cborseq.zst").write_bytes(zstandard.compress(record(1)))
    (tmp_path / "link.cborseq.zst").symlink_to(tmp_path / "good.cborseq.zst")
    (tmp_path / "text.cborseq.zst").write_text("no zstd here, just text")
    (tmp_path / "folder.cborseq.zst").mkdir()
    with pytest.raises(SegmentError, match=message):
        read(tmp_path, Place(name, offset, size))


def test_damage_is_told_after_what_is_before_it(tmp_path: Path) -> None:
    records = [record(number, 3000) for number in range(100)]
    writer, places = written(tmp_path, records)
    writer.close()
    path = tmp_path / places[0].segment
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    found = []
    with pytest.raises(SegmentError, match="cannot be decoded"):
        found.extend(scan(path))
    assert len(found) >= 97
    assert [item for _, item in found] == records[: len(found)]
    assert read(tmp_path, places[90]) == records[90]


def test_one_reader_serves_many_places_and_survives_bad_ones(tmp_path: Path) -> None:
    records = [record(number, 5000) for number in range(40)]
    _, places = written(tmp_path, records, seal_size=30_000)
    (tmp_path / "bad").write_bytes((tmp_path / places[0].segment).read_bytes()[:9000] + b"\xff" * 9000)
    reader = SegmentReader(tmp_path)
    for index in random.Random(1).sample(range(40), 40):
        assert reader.read(places[index]) == records[index]
        for bad in (Place("bad", 20_000, 10), Place("absent", 0, 1), Place(places[0].segment, 10**8, 1)):
            with pytest.raises(SegmentError):
                reader.read(bad)


def test_what_is_not_cbor_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.cborseq.zst"
    path.write_bytes(zstandard.compress(record(1) + b"\xff"))
    scanning = scan(path)
    assert next(scanning) == (0, record(1))
    with pytest.raises(SegmentError, match="not CBOR"):
        next(scanning)


def test_a_write_that_fails_costs_its_segment_only(tmp_path: Path) -> None:
    """The file size limit (RLIMIT_FSIZE) gives what a full disk gives: a short write, then an error."""
    code = """
        import random, resource, signal, sys
        from pathlib import Path
        import cbor2
        from mitmeter.archive.segments import SegmentWriter, read, scan

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
        folder, chance = Path(sys.argv[1]), random.Random(1)
        writer, good, failed = SegmentWriter(folder), [], 0
        for size in [3000, 3000, 3000, 3000, 20000, 20000, 3000, 3000]:
            data = cbor2.dumps(chance.randbytes(size))
            try:
                good.append((writer.append(data, 1e9), data))
            except OSError as error:
                assert error.errno == 27, error
                failed += 1
        assert failed == 3, failed
        writer.close()
        assert all(read(folder, place) == data for place, data in good)
        first, second = sorted(folder.iterdir(), key=lambda path: path.name != good[0][0].segment)
        assert [place.segment for place, _ in good] == [first.name] * 3 + [second.name] * 2
        assert len(list(scan(first))) == 3 and len(list(scan(second))) == 2
        print("fine")
    """
    assert python(code, tmp_path).stdout == "fine\n"


def test_a_failed_seal_keeps_what_was_written(tmp_path: Path) -> None:
    code = """
        import os, resource, signal, sys
        from pathlib import Path
        from mitmeter.archive.segments import SegmentWriter, is_open, read

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        folder, writer = Path(sys.argv[1]), SegmentWriter(Path(sys.argv[1]))
        place = writer.append(b"\\x01", 1e9)
        size = (folder / place.segment).stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1, resource.RLIM_INFINITY))
        try:
            writer.close()
        except OSError:
            print("told")
        assert (folder / place.segment).stat().st_size == size and not is_open(folder / place.segment)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        later = writer.append(b"\\x02", 1e9)
        assert later.segment != place.segment
        print(read(folder, place), read(folder, later))
    """
    assert python(code, tmp_path).stdout == "told\nb'\\x01' b'\\x02'\n"


def test_several_writers_share_a_folder(tmp_path: Path) -> None:
    writers = [SegmentWriter(tmp_path, seal_size=500) for _ in range(5)]
    records = [record(number, 60) for number in range(100)]
    places = [writers[number % 5].append(item, NOW) for number, item in enumerate(records)]
    assert [read(tmp_path, place) for place in places] == records
    found = [item for path in tmp_path.iterdir() for _, item in scan(path)]
    assert sorted(found) == sorted(records)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20), st.integers(1, 2000))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], seal_size: int) -> None:
    folder = tmp_path_factory.mktemp("segments")
    records = [cbor2.dumps(body) for body in bodies]
    writer, places = written(folder, records, seal_size)
    assert [read(folder, place) for place in places] == records
    writer.close()
    assert [
        item for path in dict.fromkeys(folder / place.segment for place in places) for _, item in scan(path)
    ] == records


def test_several_at_once_lie_one_after_the_other(tmp_path: Path) -> None:
    records = [cbor2.dumps({"id": number, "text": "x" * number}) for number in range(50)]
    writer = SegmentWriter(tmp_path)
    first = writer.append(records[0], NOW)
    places = [first, *writer.append_all([(record,) for record in records[1:]], NOW)]
    assert [read(tmp_path, place) for place in places] == records
    assert [place.offset for place in places] == [sum(map(len, records[:at])) for at in range(50)]
    writer.close()
    assert [read(tmp_path, place) for place in places] == records
