/* The map: a plane through the latent space, with the encoded examples as dots and the decoder's
   pictures behind them. A point is dragged across it with mouse, finger or arrow keys. */

const dot = (u, z) => { let sum = 0; for (let i = 0; i < u.length; i++) sum += u[i] * z[i]; return sum; };

/* The direction (Z,) of one latent number alone. */
const unit = (Z, k) => Float64Array.from({ length: Z }, (_, i) => i === k ? 1 : 0);

class Plane {
  /* examples: {n, codes (n x Z), y, classes}; pictures: {shape, decode(z), ink(x) -> ImageData};
     onMove(z) is called while the point is dragged, onHover(i, x, y) over an example or not (-1). */
  constructor(canvas, Z, examples, pictures, onMove, onHover) {
    Object.assign(this, { canvas, Z, examples, pictures, onMove, onHover });
    this.z = new Float64Array(Z);
    this.look = "both";
    this.chosen = -1;  // the class that is shown alone
    this.mine = null;  // the user's picture: {mu, sigma}
    this.listen();
  }

  /* Look at the plane of the directions u and v. */
  face(u, v, names) {
    Object.assign(this, { u, v, names });
    const { n, codes } = this.examples, Z = this.Z;
    this.points = [];
    for (let i = 0; i < n; i++) {
      const z = codes.subarray(i * Z, (i + 1) * Z);
      this.points.push([dot(u, z), dot(v, z)]);
    }
    const ends = [0, 1].map((k) => {
      const sorted = this.points.map((p) => p[k]).sort((a, b) => a - b);
      const low = sorted[Math.floor(0.003 * n)], high = sorted[Math.ceil(0.997 * n) - 1];
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

  project(z) { return [dot(this.u, z), dot(this.v, z)]; }

  /* The latent nearest to z whose place in the plane is p: z + a u + b v. */
  moved(z, p) {
    const { u, v } = this, [c, d] = this.project(z);
    const uu = dot(u, u), uv = dot(u, v), vv = dot(v, v), det = uu * vv - uv * uv;
    const a = (vv * (p[0] - c) - uv * (p[1] - d)) / det, b = (uu * (p[1] - d) - uv * (p[0] - c)) / det;
    return z.map((value, i) => value + a * u[i] + b * v[i]);
  }

  toPixel([c, d]) {
    const scale = this.size / (2 * this.half);
    return [(c - this.middle[0] + this.half) * scale, (this.middle[1] + this.half - d) * scale];
  }

  toPlane(x, y) {
    const scale = 2 * this.half / this.size;
    return [this.middle[0] - this.half + x * scale, this.middle[1] + this.half - y * scale];
  }

  listen() {
    const { canvas } = this;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left - canvas.clientLeft, event.clientY - box.top - canvas.clientTop];
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
      canvas.addEventListener(name, () => { this.dragging = false; });
    canvas.addEventListener("pointerleave", () => this.onHover(-1));
    canvas.addEventListener("keydown", (event) => {
      const step = this.half / (event.shiftKey ? 8 : 50);
      const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
      const at = this.project(this.z), [a, b] = by[event.key] || [0, 0];
      if (event.key === "Home") this.onMove(this.moved(this.z, this.middle));
      else if (a || b) this.onMove(this.moved(this.z, [at[0] + a, at[1] + b]));
      else return;
      event.preventDefault();
    });
  }

  hover(x, y) {
    let best = -1, nearest = 12 * 12;
    if (this.look !== "pictures")
      this.points.forEach((point, i) => {
        if (this.chosen >= 0 && this.examples.y[i] !== this.chosen) return;
        const [px, py] = this.toPixel(point), distance = (px - x) ** 2 + (py - y) ** 2;
        if (distance < nearest) [best, nearest] = [i, distance];
      });
    this.onHover(best, ...(best < 0 ? [] : this.toPixel(this.points[best])));
  }

  /* What the pictures behind the dots depend on: where the plane lies, not where in it z is. */
  lie() {
    const rest = this.moved(this.z, this.middle).map((value) => Math.round(1000 * value));
    return [this.names, rest, this.half, this.middle, this.colours.ink].join();
  }

  /* Decode a grid of latents, some in each frame, if the plane lies elsewhere than before. */
  tile() {
    const lie = this.points && this.lie();
    if (!lie || lie === this.tiled || lie === this.tiling || this.look === "dots" || !this.size) return;
    this.tiling = lie;
    const N = 17, [H, W] = this.pictures.shape, cell = Math.min(Math.max(H, W), 48), z = this.z;
    const tiles = document.createElement("canvas"), small = document.createElement("canvas");
    [small.width, small.height, tiles.width, tiles.height] = [W, H, N * cell, N * cell];
    let next = 0;
    const some = () => {
      if (lie !== this.tiling) return;
      for (const end = performance.now() + 10; next < N * N && performance.now() < end; next++) {
        const column = next % N, row = Math.floor(next / N);
        const place = this.toPlane(...[column, row].map((at) => (at + 0.5) / N * this.size));
        const x = this.pictures.decode(this.moved(z, place));
        small.getContext("2d").putImageData(this.pictures.ink(x), 0, 0);
        tiles.getContext("2d").drawImage(small, column * cell, row * cell, cell, cell);
      }
      if (next < N * N) return requestAnimationFrame(some);
      [this.tiles, this.tiled, this.tiling] = [tiles, lie, ""];
      this.draw();
    };
    requestAnimationFrame(some);
  }

  /* Draw in the next frame. */
  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    const { canvas, colours, examples } = this, ratio = window.devicePixelRatio || 1;
    this.size = canvas.clientWidth;
    if (!this.size || !this.points) return;
    if (canvas.width !== Math.round(this.size * ratio))
      canvas.width = canvas.height = Math.round(this.size * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.size, this.size);
    this.axes(pen);
    if (this.look !== "dots" && this.tiles) {
      pen.globalAlpha = (this.look === "both" ? 0.3 : 1) * (this.tiled === this.lie() ? 1 : 0.4);
      pen.drawImage(this.tiles, 0, 0, this.size, this.size);
      pen.globalAlpha = 1;
    }
    if (this.look !== "pictures") this.dots(pen, examples);
    if (this.mine) this.ring(pen);
    const [x, y] = this.toPixel(this.project(this.z));
    pen.lineWidth = 3;
    for (const [radius, stroke] of [[12, colours.card], [9, colours.accent]]) {
      pen.strokeStyle = stroke;
      pen.beginPath();
      pen.arc(x, y, radius, 0, 7);
      pen.stroke();
    }
  }

  /* Thin lines at whole numbers' twos, and what they are. */
  axes(pen) {
    const { colours, size } = this;
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((s) => this.half / s < 3.6) || this.half;
    pen.font = "11px system-ui, sans-serif";
    for (const k of [0, 1]) {
      const from = Math.ceil((this.middle[k] - this.half) / step), to = (this.middle[k] + this.half) / step;
      for (let i = from; i <= to; i++) {
        const at = Math.round(this.toPixel([i * step, i * step])[k]) + 0.5;
        if (at < 26 || at > size - 26) continue;
        pen.lineWidth = 1;
        pen.strokeStyle = i ? colours.faint : colours.line;
        pen.beginPath();
        pen.moveTo(...(k ? [0, at] : [at, 0]));
        pen.lineTo(...(k ? [size, at] : [at, size]));
        pen.stroke();
        pen.textAlign = k ? "left" : "center";
        pen.textBaseline = k ? "middle" : "bottom";
        this.halo(pen, String(+(i * step).toFixed(1)).replace("-", "−"), ...(k ? [5, at] : [at, size - 4]), colours.soft);
      }
    }
  }

  dots(pen, { n, y, classes }) {
    const radius = Math.max(2.6, Math.min(4.2, 90 / Math.sqrt(n)));
    for (let i = 0; i < n; i++) {
      const k = y ? y[i] : -1, faded = this.chosen >= 0 && k !== this.chosen;
      const [px, py] = this.toPixel(this.points[i]);
      pen.globalAlpha = faded ? 0.08 : 0.8;
      pen.fillStyle = k < 0 ? this.colours.accent : classes[k].colour;
      pen.beginPath();
      pen.arc(px, py, radius, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    if (!y || classes.length > 20) return;
    pen.font = "700 14px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    this.labels().forEach((place, k) => {
      if (this.chosen < 0 || this.chosen === k) this.halo(pen, classes[k].name, ...place, this.colours.ink);
    });
  }

  /* Where the classes' names stand: at their medians, pushed apart where they would overlap. */
  labels() {
    const room = 20, places = this.medians.map((median) => this.toPixel(median));
    for (let round = 0; round < 50; round++)
      for (const a of places)
        for (const b of places) {
          const x = b[0] - a[0], y = b[1] - a[1], far = Math.hypot(x, y) || 1;
          if (a === b || far >= room) continue;
          const push = (room - far) / (4 * far);
          a[0] -= push * x; a[1] -= push * y;
          b[0] += push * x; b[1] += push * y;
        }
    return places;
  }

  /* Where the user's picture is, and two standard deviations around. */
  ring(pen) {
    const { mu, sigma } = this.mine, { u, v, colours } = this, at = this.project(mu);
    if (sigma) {
      const [uu, uv, vv] = [[u, u], [u, v], [v, v]].map(([a, b]) =>
        sigma.reduce((sum, s, i) => sum + a[i] * b[i] * s * s, 0));
      const l = Math.sqrt(uu), m = uv / l, r = Math.sqrt(Math.max(vv - m * m, 0));
      pen.beginPath();
      for (let t = 0; t < 6.3; t += 0.1) {
        const [c, s] = [2 * Math.cos(t), 2 * Math.sin(t)];
        pen.lineTo(...this.toPixel([at[0] + l * c, at[1] + m * c + r * s]));
      }
      pen.closePath();
      pen.fillStyle = pen.strokeStyle = colours.mine;
      pen.lineWidth = 1.5;
      pen.stroke();
      pen.globalAlpha = 0.15;
      pen.fill();
      pen.globalAlpha = 1;
    }
    const [x, y] = this.toPixel(at);
    pen.fillStyle = colours.mine;
    pen.strokeStyle = colours.card;
    pen.lineWidth = 2;
    pen.beginPath();
    for (let i = 0; i < 10; i++) {
      const r = i % 2 ? 4 : 9, angle = Math.PI * i / 5 - Math.PI / 2;
      pen.lineTo(x + r * Math.cos(angle), y + r * Math.sin(angle));
    }
    pen.closePath();
    pen.stroke();
    pen.fill();
  }

  halo(pen, text, x, y, colour) {
    pen.strokeStyle = this.colours.card;
    pen.lineWidth = 3;
    pen.lineJoin = "round";
    pen.strokeText(text, x, y);
    pen.fillStyle = colour;
    pen.fillText(text, x, y);
  }
}
