"""Which file systems' folders tell of changes."""

from __future__ import annotations

import pytest

from rankhub_listing import mounts
from rankhub_listing.mounts import SECOND, quiet_time

TABLE = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:31 / /data rw master:7 - nfs4 server:/data rw
31 30 0:32 / /data/my\\040disk rw shared:3 - fuse.sshfs host: rw
32 22 0:33 / /old rw - vfat /dev/sdb rw
33 22 0:34 / /old rw - xfs /dev/sdc rw
34 22 0:35 / /drive rw - cifs //server/share rw
short line
"""


@pytest.mark.parametrize(
    ("folder", "quiet"),
    [
        ("/", 2 * SECOND),
        ("/home/photos", 2 * SECOND),
        ("/data", 86_400 * SECOND),
        ("/data/photos", 86_400 * SECOND),
        ("/database", 2 * SECOND),
        ("/data/my disk/photos", None),
        ("/old/photos", 2 * SECOND),
        ("/drive", None),
    ],
)
def test_by_the_table_of_mounts(tmp_path, monkeypatch, folder, quiet):
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    monkeypatch.setattr(mounts, "TABLE", table)
    assert quiet_time(folder) == quiet


def test_nothing_is_known_without_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "TABLE", tmp_path / "none")
    assert quiet_time("/") is None


def test_links_are_followed(tmp_path, monkeypatch):
    table = tmp_path / "mountinfo"
    (tmp_path / "drive").mkdir()
    table.write_text(f"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / {tmp_path}/drive rw - cifs x rw\n")
    monkeypatch.setattr(mounts, "TABLE", table)
    (tmp_path / "link").symlink_to(tmp_path / "drive")
    assert quiet_time(str(tmp_path / "link")) is None
    assert quiet_time(str(tmp_path)) == 2 * SECOND
