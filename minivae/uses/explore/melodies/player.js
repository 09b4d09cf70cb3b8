/* Sound: the tones of sound.py, made by Web Audio, and a loop that plays what the map shows now. */

const frequency = (pitch) => 440 * 2 ** ((pitch - 69) / 12);

/* Let a note begin at a time, in seconds of the context, and last so long. */
function sound(context, pitch, at, seconds) {
  const { decay, fade, harmonics } = FACTS.sound;
  const f = frequency(pitch);
  const imag = Float32Array.from({ length: harmonics + 1 }, (_, h) =>
    h && h * f < context.sampleRate / 2 ? h ** -1.5 : 0,
  );
  const wave = context.createPeriodicWave(new Float32Array(harmonics + 1), imag, {
    disableNormalization: true,
  });
  const tone = new OscillatorNode(context, { type: "custom", periodicWave: wave, frequency: f });
  const volume = new GainNode(context, { gain: 0 });
  const loud = 0.4;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(loud, at + fade);
  volume.gain.exponentialRampToValueAtTime(
    loud * Math.exp(-(seconds - 2 * fade) / decay),
    at + seconds - fade,
  );
  volume.gain.linearRampToValueAtTime(0, at + seconds);
  tone.connect(volume).connect(context.destination);
  tone.start(at);
  tone.stop(at + seconds);
}

/* All samples of notes, without a loudspeaker: a Float32Array, at `rate` a second. */
async function renderNotes(notes, steps, rate = 22050) {
  const context = new OfflineAudioContext(1, Math.ceil(steps * STEP * rate), rate);
  for (const { start, length, pitch } of notes)
    sound(context, pitch, start * STEP, length * STEP);
  return (await context.startRendering()).getChannelData(0);
}

class Player {
  /* melody() gives the symbols to be played next; onStep(step) is called when one sounds, and with -1
     at the end. */
  constructor(melody, onStep) {
    Object.assign(this, { melody, onStep, playing: false });
  }

  start() {
    this.context ??= new AudioContext();
    this.context.resume();
    this.playing = true;
    [this.step, this.at] = [0, this.context.currentTime + 0.06];
    this.shown = [];
    this.timer = setInterval(() => this.ahead(), 25);
    this.ahead();
    this.show();
  }

  stop() {
    this.playing = false;
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    this.onStep(-1);
  }

  /* Give the notes of the next tenth of a second to the context: a melody that has changed meanwhile
     is heard from its next note on. */
  ahead() {
    while (this.at < this.context.currentTime + 0.1) {
      const symbols = this.melody();
      const note = notesOf(symbols).find(({ start }) => start === this.step);
      if (note) sound(this.context, note.pitch, this.at, note.length * STEP);
      this.shown.push([this.at, this.step]);
      this.at += STEP;
      this.step = (this.step + 1) % symbols.length;
    }
  }

  show() {
    const due = this.shown.filter(([at]) => at <= this.context.currentTime);
    if (due.length) {
      this.shown.splice(0, due.length);
      this.onStep(due[due.length - 1][1]);
    }
    this.frame = requestAnimationFrame(() => this.show());
  }
}
