"""An RTSP server of GStreamer's, for /usr/bin/python3: what others wrote, beside the camera of our own (rtsp_camera.py).

It prints its port, and takes a command a line: `on`, `off` (no such path any more, and whoever watches is cut off), `password WORD`,
`size WIDTH HEIGHT` (in the middle of the stream).
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PIPELINE = (
    "( videotestsrc is-live=true pattern=ball ! videoscale ! capsfilter name=size caps=video/x-raw,width=64,height=48 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


class Server:
    def __init__(self, port):
        self.server = GstRtspServer.RTSPServer()
        self.server.set_address("127.0.0.1")
        self.server.set_service(port)
        self.sizes = []
        self.on()
        self.server.attach(None)

    def on(self):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(PIPELINE)
        factory.set_shared(True)
        factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP)  # and no other
        permissions = GstRtspServer.RTSPPermissions()
        for permission in ("media.factory.access", "media.factory.construct"):
            permissions.add_permission_for_role("watcher", permission, True)
        factory.set_permissions(permissions)
        factory.connect("media-configure", self.configured)
        self.server.get_mount_points().add_factory("/live", factory)

    def configured(self, _factory, media):
        self.sizes.append(media.get_element().get_by_name("size"))

    def off(self):
        self.server.get_mount_points().remove_factory("/live")
        self.server.client_filter(lambda _server, _client: GstRtspServer.RTSPFilterResult.REMOVE)

    def password(self, word):
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "watcher")
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest("user", word, token)
        self.server.set_auth(auth)

    def size(self, width, height):
        caps = Gst.Caps.from_string(f"video/x-raw,width={width},height={height}")
        self.sizes[-1].set_property("caps", caps)


def main():
    Gst.init(None)
    server, loop = Server(sys.argv[1]), GLib.MainLoop()
    print(server.server.get_bound_port(), flush=True)

    def take(line):
        command, *arguments = line.split()
        getattr(server, command)(*arguments)
        print("done", flush=True)

    def listen():
        for line in sys.stdin:
            GLib.idle_add(take, line)
        loop.quit()

    threading.Thread(target=listen, daemon=True).start()
    loop.run()


if __name__ == "__main__":
    main()
