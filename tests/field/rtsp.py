"""A camera over RTSP: GStreamer's server, run by the system's Python.

rtsp.py PORT [USER PASSWORD]: at /h264 and /jpeg a film in which the light changes from picture to
picture, at /sound one without pictures, at /short one that ends.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

SEEN = "video/x-raw,format=I420,width=160,height=120,framerate=25/1"
VIDEO = f"videotestsrc is-live=true pattern=ball {{}} ! {SEEN}"
FILMS = {
    "/h264": f"{VIDEO.format('')} ! x264enc tune=zerolatency key-int-max=10 ! rtph264pay name=pay0",
    "/jpeg": f"{VIDEO.format('')} ! jpegenc ! rtpjpegpay name=pay0",
    "/short": f"{VIDEO.format('num-buffers=20')} ! jpegenc ! rtpjpegpay name=pay0",
    "/sound": "audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay0",
}


def main() -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    for path, film in FILMS.items():
        factory = GstRtspServer.RTSPMediaFactory.new()
        factory.set_launch(f"( {film} )")
        server.get_mount_points().add_factory(path, factory)
        role = "user, media.factory.access=true, media.factory.construct=true"
        factory.add_role_from_structure(Gst.Structure.new_from_string(role))
    if len(sys.argv) > 2:
        auth = GstRtspServer.RTSPAuth.new()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        token = GstRtspServer.RTSPToken.new()
        token.set_string("media.factory.role", "user")
        auth.add_digest(sys.argv[2], sys.argv[3], token)
        server.set_auth(auth)
    server.attach(None)
    GLib.MainLoop().run()


main()
