/* What ties the page together: one latent z, which map, slider and buttons set, and which is seen and
   heard as the melody that the decoder makes of it. */

function words(Z, parameters) {
  const whole = (n) => n.toLocaleString("en");
  const { nTrain, part, name, classes } = FACTS;
  $("lead").append(
    `A small neural network heard ${nTrain ? whole(nTrain) : "many"} melodies of two bars. It learned ` +
      `to describe each of them by ${Z} numbers, and to play a melody from such a description. Nearby ` +
      "descriptions give similar melodies, so together they make a map. ",
    make("b", { textContent: "Press Play, drag across it, and listen." }),
  );
  $("map-help").textContent = [
    `Each dot is a real melody (one that the network was ${part === "test" ? "not " : ""}trained on), ` +
      "where the network places it; click it to go there.",
    classes.length ? "Its colour says which tune it is of." : "",
    Z > 2 ? `The map is a flat cut through ${Z} dimensions: dots may lie above or below it.` : "",
  ].join(" ");
  $("how").textContent =
    "This is a variational autoencoder. One half, the encoder, turned each melody into a few numbers, " +
    "and said how unsure it is of each; the other half, the decoder, which runs in this page, turns " +
    "numbers into a melody: of every sixteenth it says whether a note begins, which one, or whether " +
    "all goes on. Both were trained together, towards two aims: what comes out should equal what went " +
    "in, and the descriptions of all melodies should fill a round cloud without gaps. What it plays " +
    "between two tunes is what it takes to be like both; it knows nothing of harmony, or of what a " +
    "phrase is.";
  $("made").textContent =
    `${name ? `${name}, ` : ""}${whole(parameters)} weights of the decoder. Made with minivae. ` +
    "The page runs without a network connection.";
}

async function start() {
  const [weights, examples] = await unpackRun();
  const network = new Decoder(FACTS.program, weights);
  const Z = FACTS.program.latent;
  const spread = examples.spread();
  const centre = Float64Array.from(spread, ({ mean }) => mean);
  $("notice").hidden = true;
  $("main").hidden = false;
  words(Z, weights.length);

  // --- the latent, and who shows it ---------------------------------------------------------
  let z = centre;
  let melody = network.symbols(z);
  let sounding = -1;
  const player = new Player(
    () => melody,
    (step) => {
      sounding = step;
      drawRoll($("roll"), melody, sounding);
    },
  );
  const plane = new Plane($("plane"), examples, {
    decode: (latent) => network.symbols(latent),
    onMove: set,
    onHover: tip,
  });
  Object.assign(plane, { look: "dots", named: false });

  function set(next) {
    z = Float64Array.from(next);
    melody = network.symbols(z);
    plane.z = z;
    plane.draw();
    drawRoll($("roll"), melody, sounding);
    const n = notesOf(melody).length;
    $("roll").setAttribute("aria-label", `A melody of ${n} notes`);
  }

  function play(on) {
    if (on === player.playing) return;
    if (on) player.start();
    else player.stop();
    press($("play"), on);
    $("play").textContent = on ? "Stop" : "Play";
  }

  // --- the map ------------------------------------------------------------------------------
  let near = -1; // the example under the mouse
  function tip(i) {
    near = i;
    $("tip").hidden = i < 0;
    if (i < 0) return;
    $("tip-text").textContent = examples.name(i);
    plane.place($("tip"), i);
  }
  // A click on a dot goes to its own code, which may lie above or below the plane.
  $("plane").addEventListener("click", () => near >= 0 && set(examples.code(near)));

  plane.offerClasses($("legend"));

  // --- buttons ------------------------------------------------------------------------------
  $("play").addEventListener("click", () => play(!player.playing));
  $("surprise").addEventListener("click", () => {
    set(spread.map(({ mean, sd }) => mean + sd * normal()));
    play(true);
  });
  $("home").addEventListener("click", () => set(centre));
  $("midi").addEventListener("click", () => {
    const file = new Blob([midiOf(notesOf(melody), melody.length)], { type: "audio/midi" });
    URL.revokeObjectURL($("midi").href);
    $("midi").href = URL.createObjectURL(file);
  });

  // --- from one melody to another -----------------------------------------------------------
  const ends = [$("from"), $("to")];
  const listed = examples.some(60).sort((a, b) => a - b);
  const count = {};
  for (const i of listed) {
    const name = examples.name(i);
    count[name] = (count[name] ?? 0) + 1;
    for (const select of ends) select.add(new Option(`${name}, ${count[name]}`, i));
  }
  ends[1].selectedIndex = listed.length - 1;
  const symbolsOf = (i) => Array.from(examples.picture(i));
  function way() {
    const [a, b] = ends.map((select) => examples.code(+select.value));
    const t = +$("way").value;
    set(a.map((value, i) => (1 - t) * value + t * b[i]));
  }
  function showEnds() {
    ends.forEach((select) => drawRoll($(`${select.id}-roll`), symbolsOf(+select.value)));
  }
  for (const select of ends)
    select.addEventListener("change", () => {
      showEnds();
      way();
    });
  $("way").addEventListener("input", way);

  // --- begin --------------------------------------------------------------------------------
  plane.face(...FACTS.directions.map((row) => Float64Array.from(row)), "widest");
  set(examples.code(listed[0]));
  const redraw = () => {
    plane.drawNow();
    drawRoll($("roll"), melody, sounding);
    showEnds();
  };
  new ResizeObserver(redraw).observe($("plane"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColours();
    redraw();
  });
  window.minivae = {
    network,
    examples,
    player,
    state: () => ({ z, melody, notes: notesOf(melody) }),
    render: () => renderNotes(notesOf(melody), melody.length),
    midi: () => midiOf(notesOf(melody), melody.length),
    set,
  };
}

begin(start);
