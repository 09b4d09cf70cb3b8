/* The map: a plane through the latent space, across which a point is dragged with mouse, finger or
   arrow keys. */

const dot = (u, z) => {
  let sum = 0;
  for (let i = 0; i < u.length; i++) sum += u[i] * z[i];
  return sum;
};

/* A draw from N(0, 1). */
const normal = () =>
  Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

/* The direction (Z,) of one latent number alone. */
const unit = (Z, k) => Float64Array.from({ length: Z }, (_, i) => (i === k ? 1 : 0));

class Plane extends Chart {
  /* decode(z) gives a picture; onMove(z) is called while the point is dragged, and onHover(i) when
     the mouse comes to example i, or to none (-1). */
  constructor(canvas, examples, { decode, onMove, onHover }) {
    super(canvas, examples);
    Object.assign(this, { decode, onMove, onHover });
    this.z = new Float64Array(examples.Z);
    this.listen();
  }

  /* Look at the plane of the directions u and v. */
  face(u, v, names) {
    Object.assign(this, { u, v, names });
    const { n } = this.examples;
    this.points = Array.from({ length: n }, (_, i) => this.project(this.examples.code(i)));
    const ends = [0, 1].map((k) => {
      const sorted = this.points.map((p) => p[k]).sort((a, b) => a - b);
      const [low, high] = [sorted[Math.floor(0.003 * n)], sorted[Math.ceil(0.997 * n) - 1]];
      return FACTS.prior ? [Math.min(low, -2.6), Math.max(high, 2.6)] : [low, high];
    });
    this.half = 0.54 * Math.max(...ends.map(([low, high]) => high - low)) || 1;
    this.middle = ends.map(([low, high]) => (low + high) / 2);
    this.medians = this.examples.classes.map((_, k) => {
      const own = this.points.filter((_, i) => this.examples.y[i] === k);
      return [0, 1].map((axis) => own.map((p) => p[axis]).sort((a, b) => a - b)[own.length >> 1]);
    });
    this.draw();
    this.tile();
  }

  project(z) {
    return [dot(this.u, z), dot(this.v, z)];
  }

  /* The latent nearest to z whose place in the plane is p: z + a u + b v. */
  moved(z, p) {
    const { u, v } = this;
    const [c, d] = this.project(z).map((at, k) => p[k] - at);
    const [uu, uv, vv] = [dot(u, u), dot(u, v), dot(v, v)];
    const det = uu * vv - uv * uv;
    const [a, b] = [(vv * c - uv * d) / det, (uu * d - uv * c) / det];
    return z.map((value, i) => value + a * u[i] + b * v[i]);
  }

  listen() {
    const { canvas } = this;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [
        event.clientX - box.left - canvas.clientLeft,
        event.clientY - box.top - canvas.clientTop,
      ];
    };
    const drag = (event) => {
      const [x, y] = place(event).map((value) => Math.min(Math.max(value, 0), this.size));
      this.onMove(this.moved(this.z, this.toPlane(x, y)));
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.dragging = true;
      canvas.focus({ preventScroll: true });
      drag(event);
      event.preventDefault();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.dragging) drag(event);
      else if (event.pointerType === "mouse") this.hover(...place(event));
    });
    for (const name of ["pointerup", "pointercancel"])
      canvas.addEventListener(name, () => (this.dragging = false));
    canvas.addEventListener("pointerleave", () => this.onHover(-1));
    canvas.addEventListener("keydown", (event) => {
      const step = this.half / (event.shiftKey ? 8 : 50);
      const by = {
        ArrowLeft: [-step, 0],
        ArrowRight: [step, 0],
        ArrowUp: [0, step],
        ArrowDown: [0, -step],
      };
      const at = this.project(this.z);
      const [a, b] = by[event.key] || [0, 0];
      if (event.key === "Home") this.onMove(this.moved(this.z, this.middle));
      else if (a || b) this.onMove(this.moved(this.z, [at[0] + a, at[1] + b]));
      else return;
      event.preventDefault();
    });
  }

  hover(x, y) {
    let [best, nearest] = [-1, 12 * 12];
    if (this.look !== "pictures")
      this.points.forEach((point, i) => {
        if (this.chosen >= 0 && this.examples.y[i] !== this.chosen) return;
        const [px, py] = this.toPixel(point);
        const distance = (px - x) ** 2 + (py - y) ** 2;
        if (distance < nearest) [best, nearest] = [i, distance];
      });
    this.onHover(best);
  }

  /* Put a button for each class into an element; a pressed one leaves the dots of its class alone. */
  offerClasses(legend) {
    const chips = this.examples.classes.map(({ name, colour }, k) => {
      const chip = make("button", { type: "button" });
      const mark = make("i");
      mark.style.background = colour;
      chip.append(mark, name);
      press(chip, false);
      chip.addEventListener("click", () => {
        this.chosen = this.chosen === k ? -1 : k;
        chips.forEach((other, i) => press(other, i === this.chosen));
        this.draw();
      });
      return chip;
    });
    legend.append(...chips);
  }

  /* Put an element beside the dot of example i, on the side where there is more room. */
  place(element, i) {
    const [left, top] = this.toPixel(this.points[i]);
    const [right, below] = [left > this.size / 2, top > this.size / 2];
    element.style.left = `${left + (right ? -12 : 12)}px`;
    element.style.top = `${top}px`;
    element.style.transform = `translate(${right ? "-100%" : "0"}, ${below ? "-110%" : "10%"})`;
  }

  /* What the pictures behind the dots depend on: where the plane lies, not where in it z is. */
  lie() {
    const rest = this.moved(this.z, this.middle).map((value) => Math.round(1000 * value));
    return [this.names, rest, this.half, this.middle, colours.ink].join();
  }

  /* Decode a grid of latents, some in each frame, if the plane lies elsewhere than before. */
  tile() {
    const lie = this.points && this.lie();
    if (!lie || lie === this.tiled || lie === this.tiling || this.look === "dots" || !this.size)
      return;
    this.tiling = lie;
    const N = 17; // pictures in a row
    const [H, W] = pictures.shape;
    const cell = Math.min(Math.max(H, W, 24), 48);
    const small = make("canvas", { width: W, height: H });
    const tiles = make("canvas", { width: N * cell, height: N * cell });
    const z = this.z;
    let next = 0;
    const some = () => {
      if (lie !== this.tiling) return;
      for (const end = performance.now() + 10; next < N * N && performance.now() < end; next++) {
        const [column, row] = [next % N, Math.floor(next / N)];
        const place = this.toPlane(...[column, row].map((at) => ((at + 0.5) / N) * this.size));
        const x = this.decode(this.moved(z, place));
        small.getContext("2d").putImageData(pictures.ink(x), 0, 0);
        const [left, top] = [(column + 0.05) * cell, (row + 0.05) * cell];
        tiles.getContext("2d").drawImage(small, left, top, 0.9 * cell, 0.9 * cell);
      }
      if (next < N * N) return requestAnimationFrame(some);
      [this.tiles, this.tiled, this.tiling] = [tiles, lie, ""];
      this.draw();
    };
    requestAnimationFrame(some);
  }
}
