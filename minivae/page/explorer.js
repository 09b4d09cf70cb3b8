/* What ties the page together: one latent z, which map, sliders, buttons and the user's picture set,
   and which everything shows. */

const FACTS = JSON.parse(document.getElementById("facts").textContent);
const $ = (id) => document.getElementById(id);
const whole = (n) => n.toLocaleString("en");
const number = (value) => value.toFixed(2).replace("-", "−");
const named = (k) => { const b = document.createElement("b"); b.append("z", Object.assign(document.createElement("sub"), { textContent: k + 1 })); return b; };

/* How arrays of pixels become pictures. */
function makePictures(network) {
  const shape = FACTS.shape.slice(0, 2), channels = FACTS.shape[2] || 1, [low, high] = FACTS.limits;
  const byte = (value) => Math.min(Math.max(255 * (value - low) / (high - low), 0), 255);
  const image = (x, colour) => {
    const [H, W] = shape, data = new Uint8ClampedArray(4 * H * W);
    for (let i = 0; i < H * W; i++) data.set(colour(x.subarray(i * channels, (i + 1) * channels)), 4 * i);
    return new ImageData(data, W, H);
  };
  return {
    shape, channels, limits: FACTS.limits, background: FACTS.background,
    decode: (z) => network.decode(z),
    paint(canvas, x) {
      [canvas.height, canvas.width] = shape;
      const colour = channels === 3 ? (v) => [byte(v[0]), byte(v[1]), byte(v[2]), 255] : (v) => [byte(v[0]), byte(v[0]), byte(v[0]), 255];
      canvas.getContext("2d").putImageData(image(x, colour), 0, 0);
    },
    /* Grey pictures in the page's own ink on its own paper, so that they suit light and dark. */
    ink(x) {
      if (channels === 3) return image(x, (v) => [byte(v[0]), byte(v[1]), byte(v[2]), 255]);
      const dark = FACTS.background[0] < (low + high) / 2, [r, g, b] = colours.inkRGB;
      return image(x, (v) => [r, g, b, dark ? byte(v[0]) : 255 - byte(v[0])]);
    },
  };
}

const colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["card", "ink", "soft", "line", "faint", "accent", "mine"]) colours[name] = style.getPropertyValue(`--${name}`).trim();
  colours.inkRGB = [1, 3, 5].map((i) => parseInt(colours.ink.slice(i, i + 2), 16));
}

async function start() {
  const [weights, codes, bytes] = await Promise.all([unpack("weights", Float32Array), unpack("codes", Float32Array), unpack("examples", Uint8Array)]);
  readColours();
  const network = new Network(FACTS.program, weights), pictures = makePictures(network);
  const Z = FACTS.program.latent, D = bytes.length / FACTS.n, [low, high] = FACTS.limits;
  const example = (i) => Float64Array.from(bytes.subarray(i * D, (i + 1) * D), (value) => low + value / 255 * (high - low));
  const examples = { n: FACTS.n, codes, y: FACTS.y, classes: FACTS.classes };
  const order = FACTS.relevance.map((_, k) => k).sort((a, b) => FACTS.relevance[b] - FACTS.relevance[a]);
  const spread = Array.from({ length: Z }, (_, k) => {
    let sum = 0, squares = 0;
    for (let i = 0; i < FACTS.n; i++) { const value = codes[i * Z + k]; sum += value; squares += value * value; }
    const mean = sum / FACTS.n, sd = Math.sqrt(Math.max(squares / FACTS.n - mean * mean, 1e-12));
    return FACTS.prior ? { mean: 0, sd: 1 } : { mean, sd };
  });
  const centre = Float64Array.from(spread, (s) => s.mean);
  $("notice").hidden = true;
  $("main").hidden = false;
  words(Z, weights.length);

  // --- the latent, and who shows it ---------------------------------------------------------
  let z = centre, x = network.decode(z), settled = 0;
  const plane = new Plane($("plane"), Z, examples, pictures, (next) => { rest(); set(next); }, tip);
  plane.colours = colours;
  const sliders = makeSliders();
  function set(next) {
    z = Float64Array.from(next);
    x = network.decode(z);
    plane.z = z;
    pictures.paint($("output"), x);
    $("where").replaceChildren(...place());
    sliders.forEach((slider) => slider.show());
    plane.draw();
    clearTimeout(settled);
    settled = setTimeout(() => { sliders.forEach((slider) => slider.ends()); plane.tile(); }, 120);
  }
  function place() {
    const shown = Z <= 4 ? order.slice().sort((a, b) => a - b) : order.slice(0, 3);
    const lines = shown.map((k) => { const line = document.createElement("div"); line.append(named(k), ` = ${number(z[k])}`); return line; });
    if (Z > 4) lines.push(`and ${Z - 3} more, below`);
    return lines;
  }

  // --- the map ------------------------------------------------------------------------------
  const directions = order.map((k) => ({ name: `z${k + 1}`, vector: unit(Z, k) }));
  if (Z > 2)
    FACTS.directions.forEach((vector, i) => directions.splice(i, 0, { name: ["widest direction", "second widest"][i], vector: Float64Array.from(vector) }));
  else directions.sort((a, b) => a.name < b.name ? -1 : 1);
  const selects = [$("across"), $("up")];
  $("directions").hidden = Z === 2;
  selects.forEach((select, i) => {
    directions.forEach(({ name }, k) => select.add(new Option(name, k)));
    select.value = i;
    select.addEventListener("change", () => {
      const other = selects[1 - i];
      if (other.value === select.value) other.value = select.value === "0" ? 1 : 0;
      look();
    });
  });
  function look() {
    const [u, v] = selects.map((select) => directions[select.value]);
    plane.face(u.vector, v.vector, `${u.name}, ${v.name}`);
  }
  const looks = [...$("look").children];
  const press = (value) => {
    plane.look = value;
    looks.forEach((button) => button.setAttribute("aria-pressed", button.value === value));
    plane.draw();
    plane.tile();
  };
  looks.forEach((button) => button.addEventListener("click", () => press(button.value)));
  const chips = examples.classes.map(({ name, colour }, k) => {
    const chip = document.createElement("button"), mark = document.createElement("i");
    mark.style.background = colour;
    chip.type = "button";
    chip.append(mark, name);
    chip.addEventListener("click", () => {
      plane.chosen = plane.chosen === k ? -1 : k;
      chips.forEach((other, i) => other.setAttribute("aria-pressed", i === plane.chosen));
      plane.draw();
    });
    chip.setAttribute("aria-pressed", false);
    return chip;
  });
  $("legend").append(...chips);
  function tip(i, left, top) {
    $("tip").hidden = i === undefined || i < 0;
    if ($("tip").hidden) return;
    pictures.paint($("tip-image"), example(i));
    $("tip-text").textContent = FACTS.y ? FACTS.classes[FACTS.y[i]].name : `picture ${i + 1}`;
    $("tip").style.left = `${left + (left > plane.size / 2 ? -12 : 12)}px`;
    $("tip").style.top = `${top}px`;
    $("tip").style.transform = `translate(${left > plane.size / 2 ? "-100%" : "0"}, ${top > plane.size / 2 ? "-110%" : "10%"})`;
  }

  // --- buttons ------------------------------------------------------------------------------
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  const random = () => Float64Array.from(spread, ({ mean, sd }) => mean + sd * normal());
  let walking = 0;
  function rest() {
    cancelAnimationFrame(walking);
    walking = 0;
    $("where").ariaLive = "polite";
    $("walk").setAttribute("aria-pressed", false);
    $("walk").textContent = "Take a walk";
  }
  function walk() {
    let from = z, to = random(), begun = performance.now();
    $("where").ariaLive = "off";
    $("walk").setAttribute("aria-pressed", true);
    $("walk").textContent = "Stop walking";
    const step = (now) => {
      const t = Math.min((now - begun) / 2600, 1), s = t * t * (3 - 2 * t);
      set(from.map((value, i) => value + s * (to[i] - value)));
      if (t === 1) [from, to, begun] = [z, random(), now];
      walking = requestAnimationFrame(step);
    };
    walking = requestAnimationFrame(step);
  }
  $("walk").addEventListener("click", () => walking ? rest() : walk());
  $("surprise").addEventListener("click", () => { rest(); set(random()); });
  $("home").addEventListener("click", () => { rest(); set(centre); });

  // --- the user's picture -------------------------------------------------------------------
  const sketch = new Sketch($("sketch"), pictures, (given) => {
    rest();
    const { mu, sigma } = network.encode(given);
    plane.mine = { mu, sigma };
    pictures.paint($("rebuilt"), network.decode(mu));
    bars(mu);
    set(mu);
  });
  function bars(mu) {
    const canvas = $("code"), pen = canvas.getContext("2d"), wide = canvas.clientWidth || 84, ratio = window.devicePixelRatio || 1;
    const shown = Math.min(Z, 20);
    const tall = Math.min(120, 24 * shown), step = tall / shown;
    [canvas.width, canvas.height] = [wide * ratio, tall * ratio];
    canvas.style.height = `${tall}px`;
    pen.scale(ratio, ratio);
    pen.fillStyle = colours.mine;
    order.slice(0, shown).forEach((k, row) => {
      const share = mu ? Math.max(-1, Math.min(1, (mu[k] - spread[k].mean) / (3 * spread[k].sd))) : 0;
      pen.fillRect(wide / 2, row * step + step * 0.15, share * wide / 2, step * 0.7);
    });
    pen.fillStyle = colours.soft;
    pen.fillRect(wide / 2 - 0.5, 0, 1, tall);
    $("code-text").textContent = `${Z} numbers`;
  }
  $("clear").addEventListener("click", () => {
    sketch.clear();
    plane.mine = null;
    pictures.paint($("rebuilt"), sketch.blank());
    bars(null);
    plane.draw();
  });
  $("erase").addEventListener("click", () => {
    sketch.erasing = !sketch.erasing;
    $("erase").setAttribute("aria-pressed", sketch.erasing);
  });
  $("colour-label").hidden = pictures.channels !== 3;
  if (pictures.channels === 3) {
    const dip = () => { sketch.ink = [1, 3, 5].map((i) => low + parseInt($("colour").value.slice(i, i + 2), 16) / 255 * (high - low)); };
    $("colour").addEventListener("input", dip);
    dip();
  }
  const take = async (file) => { if (file) $("own-help").textContent = await sketch.load(file); };
  $("file").addEventListener("change", () => { take($("file").files[0]); $("file").value = ""; });
  $("file-label").addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); $("file").click(); } });
  addEventListener("dragover", (event) => { event.preventDefault(); $("drop").hidden = false; });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").hidden = true; });
  addEventListener("drop", (event) => { event.preventDefault(); $("drop").hidden = true; take(event.dataTransfer.files[0]); });
  for (const i of samples()) {
    const button = document.createElement("button"), canvas = document.createElement("canvas");
    button.type = "button";
    button.setAttribute("aria-label", `Take example ${i + 1}${FACTS.y ? ` (${FACTS.classes[FACTS.y[i]].name})` : ""}`);
    pictures.paint(canvas, example(i));
    button.append(canvas);
    button.addEventListener("click", () => sketch.show(example(i)));
    $("strip").append(button);
  }
  /* Twenty examples, of all classes alike. */
  function samples() {
    const groups = FACTS.classes.length ? FACTS.classes.map((_, k) => FACTS.y.flatMap((c, i) => c === k ? [i] : [])) : [Array.from({ length: FACTS.n }, (_, i) => i)];
    const chosen = [];
    for (let round = 0; chosen.length < Math.min(20, FACTS.n) && round < 20; round++)
      for (const group of groups) if (group[round] !== undefined && chosen.length < 20) chosen.push(group[round]);
    return chosen;
  }

  // --- sliders ------------------------------------------------------------------------------
  function makeSliders() {
    const first = 24, made = order.map((k, rank) => {
      const row = document.createElement("label"), input = document.createElement("input"), value = document.createElement("output");
      const ends = [document.createElement("canvas"), document.createElement("canvas")];
      const { mean, sd } = spread[k], reach = 3 * sd;
      Object.assign(input, { type: "range", min: mean - reach, max: mean + reach, step: sd / 100 });
      input.setAttribute("aria-label", `z${k + 1}`);
      input.addEventListener("input", () => {
        rest();
        const next = Float64Array.from(z);
        next[k] = +input.value;
        set(next);
      });
      row.className = "slider" + (FACTS.prior && FACTS.relevance[k] < 0.01 ? " idle" : "");
      row.title = FACTS.prior ? `${FACTS.relevance[k].toFixed(2)} nats` : "";
      row.append(named(k), ends[0], input, ends[1], value);
      (rank < first ? $("sliders") : $("more").querySelector(".sliders")).append(row);
      return {
        show() { input.value = z[k]; value.textContent = number(z[k]); },
        ends() {
          ends.forEach((canvas, i) => {
            const there = Float64Array.from(z);
            there[k] = mean + (2 * i - 1) * reach;
            pictures.paint(canvas, network.decode(there));
          });
        },
      };
    });
    $("more").hidden = Z <= first;
    $("more").querySelector("summary").textContent = `The other ${Z - first}`;
    return made;
  }

  // --- begin --------------------------------------------------------------------------------
  $("main").classList.toggle("plain", Z <= 4);
  look();
  press("both");
  sketch.show(example(samples()[0]));
  new ResizeObserver(() => { plane.drawNow(); plane.tile(); }).observe($("plane"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColours();
    plane.draw();
    plane.tile();
    bars(plane.mine?.mu);
  });
  window.minivae = {
    encode: (given) => network.encode(given),
    decode: (latent) => network.decode(latent),
    example, plane, sketch,
    get z() { return z; },
    get x() { return x; },
  };
}

/* What the page says, in words that fit this model. */
function words(Z, parameters) {
  const learned = FACTS.nTrain ? `${whole(FACTS.nTrain)} pictures` : "many pictures";
  const n = Z === 2 ? "two" : String(Z);
  $("lead").append(
    `A small neural network looked at ${learned}. It learned to describe each of them by only `,
    Object.assign(document.createElement("b"), { textContent: `${n} numbers` }),
    ", and to paint a picture from such a description. Nearby descriptions give similar pictures, so together they make a map. ",
    Object.assign(document.createElement("b"), { textContent: "Drag across it, and watch what the network paints." }),
  );
  const seen = FACTS.part === "test" ? "that the network was not trained on" : "that the network was trained on";
  $("map-help").textContent = `Each dot is a real picture ${seen}, where the network places it`
    + (FACTS.classes.length ? "; its colour says what it shows, which nobody told the network. " : ". ")
    + (Z > 2 ? `The map is a flat cut through a space of ${Z} dimensions: dots may lie above or below it. ` : "")
    + "The faint pictures are what it would paint there: it has never seen them.";
  $("own-help").textContent = "Draw, drop a picture anywhere on this page, or take one of these. The star on the map is where the network places it"
    + (FACTS.prior ? ", and the ring around it how unsure it is." : ".");
  $("numbers-title").textContent = `The ${n} numbers`;
  $("numbers-help").textContent = Z > 2
    ? `Each slider changes one number and leaves the others; the small pictures show where its ends lead. The network uses the first ones most${FACTS.prior && FACTS.relevance.some((r) => r < 0.01) ? ", and the faint ones not at all" : ""}.`
    : "The small pictures show where the ends of each slider lead.";
  $("how").textContent = (FACTS.prior
    ? "This is a variational autoencoder. One half, the encoder, turns a picture into a few numbers, and says how unsure it is of each; the other half, the decoder, turns numbers into a picture. Both were trained together: the picture that comes out should equal the one that went in, and the descriptions of all pictures together should fill a round cloud around the middle without gaps. That is why you can pick any point of it and get a picture that makes sense, though no picture was ever there."
    : "This is an autoencoder. One half, the encoder, turns a picture into a few numbers; the other half, the decoder, turns numbers into a picture. Both were trained together so that the picture that comes out equals the one that went in. Nothing asks the descriptions to fill the space without gaps, so between the dots you may find pictures that make no sense.")
    + " What you draw stays in this page: it runs without a network connection.";
  $("made").textContent = `${FACTS.name ? `${FACTS.name}, ` : ""}${whole(parameters)} weights. Made with minivae.`;
}

start().catch((error) => {
  const old = typeof DecompressionStream === "undefined";
  $("notice").hidden = false;
  $("notice").textContent = old ? "This browser is too old for the page; any from 2023 or later will do." : `The page could not start: ${error.message}`;
  if (!old) throw error;
});
