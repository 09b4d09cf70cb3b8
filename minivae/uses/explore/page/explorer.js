/* What ties the page together: one latent z, which map, sliders, buttons and the user's picture set,
   and which everything shows. */

async function start() {
  const [weights, examples] = await unpackRun();
  const network = new Network(FACTS.program, weights);
  const Z = FACTS.program.latent;
  const spread = examples.spread();
  const centre = Float64Array.from(spread, ({ mean }) => mean);
  const { relevance } = FACTS;
  const order = Object.keys(relevance)
    .map(Number)
    .sort((a, b) => relevance[b] - relevance[a]);
  const decode = (latent) => network.decode(latent);
  $("notice").hidden = true;
  $("main").hidden = false;
  $("main").classList.toggle("plain", Z <= 4);
  words(Z, weights.length);

  // --- the latent, and who shows it ---------------------------------------------------------
  let z = centre;
  let x = decode(z);
  let settled = 0;
  const moveTo = (next) => {
    rest();
    set(next);
  };
  const plane = new Plane($("plane"), examples, { decode, onMove: moveTo, onHover: tip });
  const sliders = makeSliders(order, spread, (k, value) =>
    moveTo(z.map((other, i) => (i === k ? value : other))),
  );

  function set(next) {
    z = Float64Array.from(next);
    x = decode(z);
    plane.z = z;
    pictures.paint($("output"), x);
    $("where").replaceChildren(...place());
    sliders.forEach((slider) => slider.show(z));
    plane.draw();
    clearTimeout(settled);
    settled = setTimeout(settle, 120);
  }

  /* What takes longer waits until z rests. */
  function settle() {
    sliders.forEach((slider) => slider.preview(z, decode));
    plane.tile();
  }

  function place() {
    const shown = Z <= 4 ? [...order].sort((a, b) => a - b) : order.slice(0, 3);
    const lines = shown.map((k) => {
      const line = make("div");
      line.append(named(k), ` = ${number(z[k])}`);
      return line;
    });
    return Z <= 4 ? lines : [...lines, `and ${Z - 3} more, below`];
  }

  // --- the map ------------------------------------------------------------------------------
  const directions = (Z > 2 ? order : [0, 1]).map((k) => [`z${k + 1}`, unit(Z, k)]);
  if (Z > 2)
    directions.unshift(
      ["widest direction", Float64Array.from(FACTS.directions[0])],
      ["second widest", Float64Array.from(FACTS.directions[1])],
    );
  const selects = [$("across"), $("up")];
  $("directions").hidden = Z === 2;
  selects.forEach((select, i) => {
    directions.forEach(([name], k) => select.add(new Option(name, k)));
    select.value = i;
    select.addEventListener("change", () => {
      const other = selects[1 - i];
      if (other.value === select.value) other.value = select.value === "0" ? 1 : 0;
      face();
    });
  });

  function face() {
    const [[across, u], [up, v]] = selects.map((select) => directions[select.value]);
    plane.face(u, v, `${across}, ${up}`);
  }

  const looks = [...$("look").children];
  for (const button of looks)
    button.addEventListener("click", () => {
      plane.look = button.value;
      looks.forEach((other) => press(other, other === button));
      plane.draw();
      plane.tile();
    });

  plane.offerClasses($("legend"));

  function tip(i) {
    $("tip").hidden = i < 0;
    if (i < 0) return;
    pictures.paint($("tip-image"), examples.picture(i));
    $("tip-text").textContent = examples.name(i);
    plane.place($("tip"), i);
  }

  // --- buttons ------------------------------------------------------------------------------
  const random = () => Float64Array.from(spread, ({ mean, sd }) => mean + sd * normal());
  let walking = 0;

  function rest() {
    cancelAnimationFrame(walking);
    walking = 0;
    $("where").ariaLive = "polite";
    press($("walk"), false);
    $("walk").textContent = "Take a walk";
  }

  function walk() {
    let [from, to, begun] = [z, random(), performance.now()];
    $("where").ariaLive = "off"; // else a screen reader would read without end
    press($("walk"), true);
    $("walk").textContent = "Stop walking";
    const step = (now) => {
      const t = Math.min((now - begun) / 2600, 1);
      const s = t * t * (3 - 2 * t);
      set(from.map((value, i) => value + s * (to[i] - value)));
      if (t === 1) [from, to, begun] = [z, random(), now];
      walking = requestAnimationFrame(step);
    };
    walking = requestAnimationFrame(step);
  }

  $("walk").addEventListener("click", () => (walking ? rest() : walk()));
  $("surprise").addEventListener("click", () => moveTo(random()));
  $("home").addEventListener("click", () => moveTo(centre));

  // --- the user's picture -------------------------------------------------------------------
  const sketch = new Sketch($("sketch"), (given) => {
    plane.mine = network.encode(given);
    pictures.paint($("rebuilt"), decode(plane.mine.mu));
    bars();
    moveTo(plane.mine.mu);
  });

  /* The numbers that describe the user's picture, as bars to either side. */
  function bars() {
    const canvas = $("code");
    const ratio = window.devicePixelRatio || 1;
    const shown = order.slice(0, 20);
    const [wide, tall] = [canvas.clientWidth || 84, Math.min(120, 24 * shown.length)];
    const step = tall / shown.length;
    Object.assign(canvas, { width: wide * ratio, height: tall * ratio });
    canvas.style.height = `${tall}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.fillStyle = colours.mine;
    shown.forEach((k, row) => {
      const { mean, reach } = spread[k];
      const share = plane.mine ? (plane.mine.mu[k] - mean) / reach : 0;
      const length = (Math.max(-1, Math.min(1, share)) * wide) / 2;
      pen.fillRect(wide / 2, (row + 0.15) * step, length, 0.7 * step);
    });
    pen.fillStyle = colours.soft;
    pen.fillRect(wide / 2 - 0.5, 0, 1, tall);
    $("code-text").textContent = `${Z} numbers`;
  }

  $("clear").addEventListener("click", () => {
    sketch.clear();
    plane.mine = null;
    pictures.paint($("rebuilt"), sketch.blank());
    bars();
    plane.draw();
  });
  $("erase").addEventListener("click", () => {
    sketch.erasing = !sketch.erasing;
    press($("erase"), sketch.erasing);
  });
  $("colour-label").hidden = pictures.channels === 1;
  const dip = () => (sketch.ink = rgb($("colour").value).map((byte) => pictures.value(byte)));
  if (pictures.channels === 3) dip();
  $("colour").addEventListener("input", dip);
  listenForFiles(async (file) => ($("own-help").textContent = await sketch.load(file)));
  for (const i of examples.some(20)) {
    const button = make("button", { type: "button" });
    button.setAttribute("aria-label", `Take example ${i + 1} (${examples.name(i)})`);
    button.append(make("canvas"));
    pictures.paint(button.firstChild, examples.picture(i));
    button.addEventListener("click", () => sketch.show(examples.picture(i)));
    $("strip").append(button);
  }

  // --- begin --------------------------------------------------------------------------------
  face();
  $("look").querySelector("[value=both]").click();
  sketch.show(examples.picture(examples.some(1)[0]));
  new ResizeObserver(() => {
    plane.drawNow();
    plane.tile();
  }).observe($("plane"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColours();
    plane.draw();
    plane.tile();
    bars();
  });
  window.minivae = { network, examples, plane, sketch, state: () => ({ z, x }) };
}

begin(start);
