// Plays a WHEP endpoint (WebRTC-HTTP Egress Protocol) in a <video>. No framework, no dependencies.
//
//   const player = play(video, "/whep/wall/cam-1", { headers: () => ({ "X-Callout-CSRF": token }), onState })
//   player.stop()
//
// onState(state) is called with a new object whenever something changed:
//   { state: "connecting", attempt }                       asking, or waiting for the first picture
//   { state: "live" }                                      the picture moves
//   { state: "stalled", sinceMs, problem? }                it stopped at sinceMs (Date.now() time): show "stale since"
//   { state: "ended", problem? }                           over for good: stop() was called, or the server said no
// problem = { status, code, title, detail } as the server put it; status 0 when it could not be asked.
//
// Where no UDP reaches the browser (a proxy, a container with only its web port published, Chromium on a host without any
// network) it takes the detour of feed_player.js: the same pictures over the same URL, as an HTTP body.
//
// After a loss it asks again by itself, after 0.5 to 10 s. It gives up only on an answer that asking again cannot change
// (401, 403, 404, 406, 410, 415, and 422 such as a camera whose video no browser plays).

const STALE_AFTER_MS = 3000;
const LOOK_EVERY_MS = 300;
const FIRST_PICTURE_WITHIN_MS = 10000;
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 10000;
const ANSWER_WITHIN_MS = 20000;
const CONNECTED_WITHIN_MS = 5000; // from the answer on; a connection takes a tenth of a second where there is a way
const LOST_FOR_MS = 2500; // "disconnected" often mends itself
const NO_DETOUR = new Set([400, 405, 406, 415]); // a server that knows WHEP only
const FINAL = new Set([400, 401, 403, 404, 406, 410, 415, 422]);

export function play(video, url, { headers = {}, onState = () => {} } = {}) {
  let attempt = 0;
  let stopped = false;
  let session = null; // the attempt that counts
  let retryTimer = 0;
  let told = "";
  let staleSince = 0;
  let detour = navigator.onLine === false; // Chromium gathers no addresses at all then, not even this host's own

  video.muted = true; // or the browser refuses to start by itself
  video.autoplay = true;
  video.playsInline = true;

  function tell(state) {
    const key = JSON.stringify(state);
    if (key === told) return;
    told = key;
    onState(state);
  }

  function connect() {
    attempt += 1;
    if (staleSince) tell({ state: "stalled", sinceMs: staleSince });
    else tell({ state: "connecting", attempt });
    const by = detour && canDetour() ? openFeed : open;
    const mine = by(video, url, headers, {
      onMoving() {
        if (session !== mine) return;
        attempt = 0;
        staleSince = 0;
        tell({ state: "live" });
      },
      onStale(sinceMs) {
        if (session !== mine) return;
        staleSince = staleSince || sinceMs;
        tell({ state: "stalled", sinceMs: staleSince });
      },
      onLost(problem) {
        if (session !== mine) return;
        session = null;
        mine.close();
        if (problem && problem.code === "no_path" && canDetour()) {
          detour = true;
          connect();
          return;
        }
        if (by === openFeed && problem && NO_DETOUR.has(problem.status)) detour = false;
        else if (problem && FINAL.has(problem.status)) {
          finish(problem);
          return;
        }
        if (video.currentTime > 0 && !staleSince) staleSince = Date.now();
        if (staleSince) tell({ state: "stalled", sinceMs: staleSince, ...(problem ? { problem } : {}) });
        else tell({ state: "connecting", attempt, ...(problem ? { problem } : {}) });
        const ceiling = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** Math.min(attempt, 8));
        retryTimer = setTimeout(connect, ceiling * (0.5 + 0.5 * Math.random()));
      },
    });
    session = mine;
  }

  function finish(problem) {
    stopped = true;
    clearTimeout(retryTimer);
    removeEventListener("pagehide", stop);
    if (session) session.close();
    session = null;
    video.srcObject = null;
    tell({ state: "ended", ...(problem ? { problem } : {}) });
  }

  function stop() {
    if (!stopped) finish(null);
  }

  addEventListener("pagehide", stop);
  connect();
  return { stop };
}

function canDetour() {
  return "VideoDecoder" in window; // in secure contexts: https, localhost, 127.0.0.1
}

// One attempt by the detour; its code is fetched when it is needed.
function openFeed(video, url, headers, callbacks) {
  let attempt = null;
  let closed = false;
  import("./feed_player.js").then(
    (module) => {
      if (!closed) attempt = module.openFeed(video, url, () => given(headers), callbacks);
    },
    (error) => !closed && callbacks.onLost({ status: 0, code: "unreachable", title: "", detail: String(error) }),
  );
  return {
    close() {
      closed = true;
      if (attempt) attempt.close();
    },
  };
}

// One attempt: a peer connection from offer to loss. Its callbacks are called at most until close().
function open(video, url, headers, { onMoving, onStale, onLost }) {
  const peer = new RTCPeerConnection();
  const asking = new AbortController();
  let resource = null; // the session's own URL, for DELETE
  let closed = false;
  let lostTimer = 0;
  let lookTimer = 0;
  let pathTimer = 0;

  const transceiver = peer.addTransceiver("video", { direction: "recvonly" });
  preferH264(transceiver);
  // Show what arrives: by default a browser collects some frames first.
  if ("jitterBufferTarget" in transceiver.receiver) transceiver.receiver.jitterBufferTarget = 0;
  else if ("playoutDelayHint" in transceiver.receiver) transceiver.receiver.playoutDelayHint = 0;

  peer.ontrack = (event) => {
    video.srcObject = new MediaStream([event.track]);
    video.play().catch(() => {}); // a page that is being left; the watch below tells if nothing moves
    event.track.onended = () => lose(null);
  };
  peer.onconnectionstatechange = () => {
    clearTimeout(lostTimer);
    if (peer.connectionState === "failed" || peer.connectionState === "closed") lose(null);
    else if (peer.connectionState === "disconnected") lostTimer = setTimeout(() => lose(null), LOST_FOR_MS);
  };

  function lose(problem) {
    if (!closed) onLost(problem);
  }

  function close() {
    if (closed) return;
    closed = true;
    asking.abort();
    clearTimeout(lostTimer);
    clearTimeout(pathTimer);
    clearInterval(lookTimer);
    peer.close();
    hangUp();
  }

  function hangUp() {
    if (!resource) return;
    // keepalive: this must leave even while the page is being left.
    fetch(resource, { method: "DELETE", headers: given(headers), credentials: "same-origin", keepalive: true }).catch(() => {});
    resource = null;
  }

  // A stream that stopped raises no event at all, and in Chrome even the video's clock runs on: only decoded pictures tell.
  function watch() {
    const began = performance.now();
    let movedAt = performance.now();
    let movedAtMs = Date.now();
    let first = true;
    let last = 0;
    lookTimer = setInterval(async () => {
      const decoded = await decodedPictures(transceiver.receiver);
      if (closed) return;
      const moving = decoded === null ? video.currentTime : decoded;
      if (moving > last && video.videoWidth > 0) {
        last = moving;
        movedAt = performance.now();
        movedAtMs = Date.now();
        first = false;
        onMoving();
      } else if (first && performance.now() - began > FIRST_PICTURE_WITHIN_MS) {
        lose({ status: 0, code: "no_picture", title: "", detail: "" });
      } else if (!first && performance.now() - movedAt > STALE_AFTER_MS) {
        onStale(movedAtMs);
      }
    }, LOOK_EVERY_MS);
  }

  async function ask() {
    await peer.setLocalDescription();
    // Candidates need not be gathered: the server answers to where our checks come from.
    const reply = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp", Accept: "application/sdp, application/problem+json", ...given(headers) },
      body: peer.localDescription.sdp,
      credentials: "same-origin",
      signal: AbortSignal.any([asking.signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
    });
    if (reply.status !== 201) {
      lose(await problemOf(reply));
      return;
    }
    const location = reply.headers.get("Location");
    if (location) resource = new URL(location, new URL(url, document.baseURI)).href;
    const sdp = await reply.text();
    if (closed) {
      hangUp();
      return;
    }
    await peer.setRemoteDescription({ type: "answer", sdp });
    const transport = transceiver.receiver.transport;
    // The server's good-bye (DTLS close_notify): the connection's own state follows seconds later.
    if (transport) transport.onstatechange = () => ["closed", "failed"].includes(transport.state) && lose(null);
    pathTimer = setTimeout(() => {
      if (peer.connectionState !== "connected") lose({ status: 0, code: "no_path", title: "", detail: "" });
    }, CONNECTED_WITHIN_MS);
    watch();
  }

  ask().catch((error) => lose({ status: 0, code: "unreachable", title: "", detail: String(error && error.message) }));
  return { close };
}

async function decodedPictures(receiver) {
  for (const report of (await receiver.getStats()).values()) {
    if (report.type === "inbound-rtp" && report.framesDecoded !== undefined) return report.framesDecoded;
  }
  return null;
}

function given(headers) {
  return typeof headers === "function" ? headers() : headers;
}

function preferH264(transceiver) {
  const known = RTCRtpReceiver.getCapabilities && RTCRtpReceiver.getCapabilities("video");
  if (!known || !transceiver.setCodecPreferences) return;
  const wanted = known.codecs.filter(
    (codec) =>
      codec.mimeType.toLowerCase() === "video/rtx" ||
      (codec.mimeType.toLowerCase() === "video/h264" && /packetization-mode=1/.test(codec.sdpFmtpLine || "")),
  );
  if (wanted.some((codec) => codec.mimeType.toLowerCase() === "video/h264")) transceiver.setCodecPreferences(wanted);
}

async function problemOf(reply) {
  let body = {};
  try {
    body = await reply.json();
  } catch {
    // a proxy's HTML page: the status says enough
  }
  return { status: reply.status, code: body.code || "", title: body.title || "", detail: body.detail || "" };
}
