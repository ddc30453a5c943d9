// The other end of the page's audio, inside the page, for tests with a PBX that has none. To be put in first.
(() => {
  const Native = window.RTCPeerConnection;
  const ends = [];

  async function gathered(pc) {
    if (pc.iceGatheringState !== "complete") {
      await new Promise((resolve) => {
        pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && resolve();
        setTimeout(resolve, 2000);
      });
    }
    return pc.localDescription.sdp;
  }

  function make() {
    const pc = new Native({ iceServers: [] });
    const track = new AudioContext().createMediaStreamDestination().stream.getAudioTracks()[0];
    pc.addTrack(track, new MediaStream([track]));
    ends.push(pc);
    return pc;
  }

  window.farEnd = {
    /** A complete answer to the page's offer. */
    answer: async (offer) => {
      const pc = make();
      await pc.setRemoteDescription({ type: "offer", sdp: offer });
      await pc.setLocalDescription(await pc.createAnswer());
      return gathered(pc);
    },
    /** A complete offer, with roles open (actpass). */
    offer: async () => {
      const pc = make();
      await pc.setLocalDescription(await pc.createOffer());
      return gathered(pc);
    },
    /** The page's answer to the newest offer. */
    accept: (answer) => ends.at(-1).setRemoteDescription({ type: "answer", sdp: answer }),
    add: (candidate) => ends.at(-1).addIceCandidate(candidate),
    close: () => ends.at(-1).close(),
    state: () => ends.at(-1).connectionState,
  };
})();
