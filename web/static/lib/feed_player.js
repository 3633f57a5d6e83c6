// The detour where WebRTC finds no way: the feed protocol (streams/feed.py) as an HTTP body, decoded with WebCodecs.
//
// POST to the WHEP URL with Accept: application/vnd.callout.feed gives 200 and messages without end: a 4-byte big-endian
// length, a JSON header of that length, then header.size bytes (one H.264 access unit, Annex B).
// whep.js is the only caller: same callbacks, same close().

export const FEED_TYPE = "application/vnd.callout.feed";

const STALE_AFTER_MS = 3000;
const LOOK_EVERY_MS = 300;
const BEHIND_MOST = 30; // pictures waiting for the decoder: then on from the next key frame

export function openFeed(video, url, headers, { onMoving, onStale, onLost }) {
  const asking = new AbortController();
  const screen = makeScreen();
  let decoder = null;
  let resource = null;
  let closed = false;
  let needKey = true;
  let movedAt = 0;
  let movedAtMs = 0;
  let shown = 0;
  let seen = 0;
  let ticks = 0; // WebCodecs wants rising timestamps, nothing more: each picture is shown as it comes

  video.srcObject = screen.stream;
  video.play().catch(() => {});

  const looking = setInterval(() => {
    if (shown > seen) {
      seen = shown;
      onMoving();
    } else if (movedAt && performance.now() - movedAt > STALE_AFTER_MS) {
      onStale(movedAtMs);
    }
  }, LOOK_EVERY_MS);

  function lose(problem) {
    if (!closed) onLost(problem);
  }

  function close() {
    if (closed) return;
    closed = true;
    clearInterval(looking);
    asking.abort();
    if (decoder && decoder.state !== "closed") decoder.close();
    screen.close();
    if (resource) fetch(resource, { method: "DELETE", headers: headers(), credentials: "same-origin", keepalive: true }).catch(() => {});
  }

  function configure(profile) {
    if (decoder && decoder.state !== "closed") decoder.close();
    decoder = new VideoDecoder({
      output(frame) {
        if (closed) {
          frame.close();
          return;
        }
        shown += 1;
        movedAt = performance.now();
        movedAtMs = Date.now();
        screen.show(frame);
      },
      error: (error) => lose({ status: 0, code: "undecodable", title: "", detail: String(error.message) }),
    });
    decoder.configure({ codec: `avc1.${profile || "42e01f"}`, optimizeForLatency: true });
    needKey = true;
  }

  function take(header, payload) {
    if (header.type === "stream") configure(header.profile);
    else if (header.type === "gone") lose({ status: 0, code: header.code, title: "", detail: "" }); // the page has words for the code
    else if (header.type === "packet") {
      if (!decoder) configure("");
      if (decoder.decodeQueueSize > BEHIND_MOST) needKey = true;
      if (needKey && !header.key) return;
      needKey = false;
      ticks += 1000;
      decoder.decode(new EncodedVideoChunk({ type: header.key ? "key" : "delta", timestamp: ticks, data: payload }));
    }
  }

  async function run() {
    const reply = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp", Accept: `${FEED_TYPE}, application/problem+json`, ...headers() },
      body: "",
      credentials: "same-origin",
      signal: asking.signal,
    });
    if (reply.status !== 200 || !(reply.headers.get("Content-Type") || "").startsWith(FEED_TYPE)) {
      const body = await reply.json().catch(() => ({}));
      const status = reply.ok ? 406 : reply.status;
      lose({ status, code: body.code || "", title: body.title || "", detail: body.detail || "" });
      return;
    }
    const location = reply.headers.get("Location");
    if (location) resource = new URL(location, new URL(url, document.baseURI)).href;
    const messages = new Messages(take);
    const reader = reply.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || closed) break;
      messages.receive(value);
    }
    lose(null);
  }

  run().catch((error) => lose({ status: 0, code: "unreachable", title: "", detail: String(error && error.message) }));
  return { close };
}

// Bytes in, (header, payload) out, in whatever pieces they come.
export class Messages {
  constructor(take) {
    this.take = take;
    this.held = new Uint8Array(0);
  }

  receive(bytes) {
    const all = new Uint8Array(this.held.length + bytes.length);
    all.set(this.held);
    all.set(bytes, this.held.length);
    let at = 0;
    while (all.length - at >= 4) {
      const headerEnd = at + 4 + new DataView(all.buffer, at, 4).getUint32(0);
      if (all.length < headerEnd) break;
      const header = JSON.parse(new TextDecoder().decode(all.subarray(at + 4, headerEnd)));
      const end = headerEnd + (header.size || 0);
      if (all.length < end) break;
      this.take(header, all.slice(headerEnd, end));
      at = end;
    }
    this.held = all.slice(at);
  }
}

// Where decoded frames go so that a <video> shows them: a generated track (Chromium), or a canvas's stream.
function makeScreen() {
  if ("MediaStreamTrackGenerator" in window) {
    const track = new MediaStreamTrackGenerator({ kind: "video" });
    const writer = track.writable.getWriter();
    return {
      stream: new MediaStream([track]),
      show: (frame) => writer.write(frame).catch(() => frame.close()),
      close() {
        writer.close().catch(() => {});
        track.stop();
      },
    };
  }
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  return {
    stream: canvas.captureStream(),
    show(frame) {
      if (canvas.width !== frame.displayWidth || canvas.height !== frame.displayHeight) {
        canvas.width = frame.displayWidth;
        canvas.height = frame.displayHeight;
      }
      context.drawImage(frame, 0, 0);
      frame.close();
    },
    close() {},
  };
}
