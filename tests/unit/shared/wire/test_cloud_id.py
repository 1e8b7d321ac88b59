"""The id of a running cloud."""

from shared.wire.cloud_id import cloud_id_in, new_cloud_id


def test_every_start_has_another():
    found = {new_cloud_id() for _ in range(100)}
    assert len(found) == 100
    assert all(cloud_id_in(each) == each for each in found)


def test_nothing_else_is_one():
    for value in (
        None,
        "",
        16 * "g",
        15 * "0",
        17 * "0",
        16 * "A",
        16 * "٠",
        15 * "0" + "\n",
        16 * "0" + "\n",
        7,
        b"0" * 16,
    ):
        assert cloud_id_in(value) is None, value
