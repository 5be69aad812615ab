"""A meter_dir that others could have prepared is refused."""

from pathlib import Path

import pytest

from mitmeter.shelf import NAMED, private_folder


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702, 0o1777])
def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "meter"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(PermissionError, match="can be written to by others"):
        private_folder(folder)


def test_a_link_in_the_folder_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "meter").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="symbolic link"):
        private_folder(tmp_path / "meter")


@pytest.mark.parametrize("name", NAMED)
def test_a_link_in_a_file_s_place_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "meter"
    private_folder(folder)
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="symbolic link"):
        private_folder(folder)
    assert not (tmp_path / "elsewhere").exists()
