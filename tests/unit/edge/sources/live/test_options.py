"""What FFmpeg is told about a stream."""

from __future__ import annotations

from edge.sources.live.options import ffmpeg_options


def test_rtsp_is_asked_for_over_tcp_whatever_else_the_user_sets():
    for given, expected in {
        "": {"rtsp_transport": "tcp"},
        "max_delay;500000": {"rtsp_transport": "tcp", "max_delay": "500000"},
        "reorder_queue_size; 9 | stimeout;1|": {
            "rtsp_transport": "tcp", "reorder_queue_size": "9", "stimeout": "1",
        },
        "rtsp_transport;udp": {"rtsp_transport": "udp"},
        "user_agent;a;b": {"rtsp_transport": "tcp", "user_agent": "a;b"},
    }.items():  # fmt: skip
        assert ffmpeg_options("rtsp", given) == expected, given
    assert ffmpeg_options("rtsps", "") == {"rtsp_transport": "tcp"}
    assert ffmpeg_options("rtmp", "") == {}


def test_what_is_no_option_is_said_and_left_out(caplog):
    assert ffmpeg_options("http", "rtsp_transport=udp|;1|a;b") == {"a": "b"}
    assert [record.getMessage() for record in caplog.records] == [
        "OPENCV_FFMPEG_CAPTURE_OPTIONS: 'rtsp_transport=udp' is left out; accepted: key;value|key;value",
        "OPENCV_FFMPEG_CAPTURE_OPTIONS: ';1' is left out; accepted: key;value|key;value",
    ]
