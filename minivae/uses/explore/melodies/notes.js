/* Symbols as notes, in steps of a sixteenth; notes as a piano roll, and as a MIDI file. */

const { hold: HOLD, first: FIRST, low: LOW, tempo: TEMPO } = FACTS.music;

const STEP = 60 / TEMPO / 4; // seconds of a sixteenth

/* {start, length, pitch} of each note of the numbers of symbols. */
function notesOf(symbols) {
  const notes = [];
  let sounding = false;
  symbols.forEach((symbol, step) => {
    if (symbol === HOLD && sounding) notes[notes.length - 1].length += 1;
    else if (symbol !== HOLD) {
      sounding = symbol >= FIRST;
      if (sounding) notes.push({ start: step, length: 1, pitch: LOW + symbol - FIRST });
    }
  });
  return notes;
}

/* Draw a roll on a canvas; `now` is the step that sounds, or -1. */
function drawRoll(canvas, symbols, now = -1) {
  const ratio = window.devicePixelRatio || 1;
  const [wide, tall] = [canvas.clientWidth, canvas.clientHeight];
  if (!wide) return;
  Object.assign(canvas, { width: wide * ratio, height: tall * ratio });
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const notes = notesOf(symbols);
  const pitches = notes.length ? notes.map(({ pitch }) => pitch) : [66];
  const middle = (Math.min(...pitches) + Math.max(...pitches)) / 2;
  const half = Math.max(9, (Math.max(...pitches) - Math.min(...pitches)) / 2 + 1.5);
  const [dx, dy] = [wide / symbols.length, tall / (2 * half)];
  const y = (pitch) => (middle + half - pitch) * dy;
  for (let step = 0; step <= symbols.length; step += 4) {
    pen.fillStyle = step % 16 ? colours.faint : colours.line;
    pen.fillRect(Math.min(step * dx, wide - 1), 0, 1, tall);
  }
  pen.font = "10px system-ui, sans-serif";
  for (let c = 48; c <= 96; c += 12) {
    pen.fillStyle = colours.line;
    pen.fillRect(0, y(c - 0.5), wide, 1);
    pen.fillStyle = colours.soft;
    pen.fillText(`C${c / 12 - 1}`, 3, y(c - 0.5) - 3);
  }
  for (const { start, length, pitch } of notes) {
    const sounds = start <= now && now < start + length;
    pen.fillStyle = sounds ? colours.mine : colours.accent;
    pen.beginPath();
    pen.roundRect(start * dx + 1, y(pitch + 0.45), length * dx - 2, Math.max(0.9 * dy, 4), 3);
    pen.fill();
  }
}

/* Bytes of a MIDI file of format 0, as midi.py writes them. */
function midiOf(notes, steps) {
  const TICKS = 480;
  const microseconds = Math.round(60e6 / TEMPO);
  const events = [
    [0, 1, [0xff, 0x51, 3, microseconds >> 16, (microseconds >> 8) & 255, microseconds & 255]],
    [0, 1, [0xff, 0x58, 4, 4, 2, 0x18, 8]],
    [0, 1, [0xc0, 0]],
  ];
  for (const { start, length, pitch } of notes)
    events.push(
      [(start * TICKS) / 4, 2, [0x90, pitch, 90]],
      [((start + length) * TICKS) / 4, 0, [0x80, pitch, 0]],
    );
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  events.push([(steps * TICKS) / 4, 3, [0xff, 0x2f, 0]]);
  const track = [];
  let now = 0;
  for (const [tick, , event] of events) {
    const delay = [(tick - now) & 127];
    for (let rest = (tick - now) >> 7; rest; rest >>= 7) delay.unshift(128 | (rest & 127));
    track.push(...delay, ...event);
    now = tick;
  }
  const size = [24, 16, 8, 0].map((shift) => (track.length >> shift) & 255);
  const text = (word) => [...word].map((letter) => letter.charCodeAt(0));
  const head = [...text("MThd"), 0, 0, 0, 6, 0, 0, 0, 1, TICKS >> 8, TICKS & 255];
  return Uint8Array.from([...head, ...text("MTrk"), ...size, ...track]);
}
