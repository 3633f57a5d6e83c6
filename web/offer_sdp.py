"""◦ What an offer must look like before the WebRTC library sees it."""

from __future__ import annotations

OFFER_MAX_BYTES = 64 * 1024
LINES_MAX = 1500
CODECS_MAX = 120


class BadOffer(ValueError):
    """This is no offer that we can answer; the text says what it lacks."""


def checked(sdp: str) -> str:
    """The offer without its ICE candidates. Errors: BadOffer.

    The browser finds us, at the addresses in our answer; we answer to where its checks come from. So we need not know where it
    is, which it hides behind mDNS names anyway (looking those up takes a second each), and nobody can make this server send
    packets to an address of their choice. The end of candidates is taken out as well: they "may still come".
    """
    if len(sdp.encode(errors="replace")) > OFFER_MAX_BYTES:
        raise BadOffer(f"The offer is larger than {OFFER_MAX_BYTES // 1024} KiB.")
    lines = sdp.replace("\r\n", "\n").split("\n")
    if len(lines) > LINES_MAX:
        raise BadOffer(f"The offer has more than {LINES_MAX} lines.")
    if not lines[0].startswith("v=0"):
        raise BadOffer("This is no SDP: it does not begin with v=0.")
    sections = [line for line in lines if line.startswith("m=")]
    if len(sections) != 1 or not sections[0].startswith("m=video "):
        raise BadOffer("The offer must have exactly one section, and that of video.")
    if len(sections[0].split()) > CODECS_MAX:
        raise BadOffer(f"The offer names more than {CODECS_MAX} codecs.")
    for needed in ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=mid:"):
        if not any(line.startswith(needed) for line in lines):
            raise BadOffer(f"The offer lacks its {needed[2:-1]} line.")
    if any(line in ("a=sendonly", "a=inactive") for line in lines):
        raise BadOffer("The offer must be ready to receive video (a=recvonly).")
    if not any(line.startswith("a=rtpmap:") and " H264/90000" in line for line in lines):
        raise BadOffer("The offer does not name H.264: this browser cannot play the camera's video.")
    return "\r\n".join(line for line in lines if line and not line.startswith(("a=candidate:", "a=end-of-candidates"))) + "\r\n"
