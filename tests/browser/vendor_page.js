// A page that sends the frames which the vendor's published example prints, no more and no less: candidates without a
// call-id, a `callid` that is undefined (so JSON leaves it out) in sip-bye and wrtc-hold, a new peer connection and a
// new call-id of its own at resume, and whatever `sdp` comes taken for an answer.
"use strict";

const page = {
  socket: null,
  peer: null,
  microphone: null,
  callid: "",
  direction: "none",
  sent: [],
  received: [],
  failures: [],
};
window.vendor = page;

function send(frame) {
  const text = JSON.stringify(frame);
  page.sent.push(JSON.parse(text));
  page.socket.send(text);
}

function failed(what) {
  return (error) => page.failures.push(`${what}: ${error.message ?? error}`);
}

page.start = async (user, password, domain) => {
  const body = JSON.stringify({ name: "auth", value: `${user} ${password}` });
  const answer = await fetch("/rest/system/session", { method: "POST", body });
  if (!answer.ok) throw new Error(`login: ${answer.status}`);
  const base = location.origin.replace(/^http/, "ws");
  page.socket = new WebSocket(`${base}/websocket?domain=${domain}&user=${user}`);
  page.socket.onmessage = (event) => received(JSON.parse(event.data));
  await new Promise((resolve, reject) => {
    page.socket.onerror = () => reject(new Error("no socket"));
    page.socket.onopen = () => {
      send({ action: "avoid-disconnect" });
      resolve();
    };
  });
};

function received(message) {
  page.received.push(message);
  if (message.sdp) {
    const description = new RTCSessionDescription({ type: "answer", sdp: message.sdp });
    page.peer.setRemoteDescription(description).catch(failed("setRemoteDescription"));
  } else if (message.candidate) {
    const candidate = new RTCIceCandidate({ candidate: message.candidate, sdpMid: "", sdpMLineIndex: 0 });
    page.peer.addIceCandidate(candidate).catch(failed("addIceCandidate"));
  } else if (message.bye) {
    page.microphone?.stop();
    send({ action: "bye-response", callid: message.callid });
  }
}

page.call = async (number, resume = false, direction = "caller") => {
  page.direction = direction;
  page.peer = new RTCPeerConnection({ iceServers: [] });
  page.peer.onicecandidate = (event) => send({ action: "ice-candidate", candidate: event.candidate });
  page.peer.ontrack = (event) => {
    document.getElementById("remoteAudio").srcObject = event.streams[0];
  };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: false });
  for (const track of stream.getTracks()) page.peer.addTrack(track, stream);
  [page.microphone] = stream.getTracks();
  const offer = await page.peer.createOffer();
  page.callid = `page-${Math.random().toString(36).slice(2)}`;
  page.peer.setLocalDescription(offer).catch(failed("setLocalDescription"));
  if (resume) send({ action: "wrtc-hold", holdcmd: "sendrecv", sdp: offer, callid: undefined, calldir: direction });
  else send({ action: "sdp-packet", to: number, sdp: offer, callid: page.callid });
};

page.hold = () => {
  page.microphone.stop();
  page.peer.close();
  send({ action: "wrtc-hold", callid: undefined, holdcmd: "sendonly", calldir: page.direction });
};

page.resume = () => page.call("", true, page.direction);

page.transfer = (id, from, to) => send({ action: "blind-transfer2", id: id || page.callid, from, to });

page.hangUp = () => {
  page.microphone.stop();
  page.peer.close();
  send({ action: "sip-bye", caller: page.direction === "caller" ? "true" : "false", callid: undefined });
  page.direction = "none";
};
