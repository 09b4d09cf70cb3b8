/* What the map looks like: lines and numbers, the decoder's pictures, the examples as dots, the
   user's picture as a star, and the ring that is dragged. `plane.js` says where all of it lies. */

class Chart {
  constructor(canvas, examples) {
    Object.assign(this, { canvas, examples });
    this.look = "both"; // or "dots", or "pictures"
    this.named = true; // whether the names of the classes stand on the map
    this.chosen = -1; // the class that is shown alone
    this.mine = null; // the user's picture: {mu, sigma}
  }

  toPixel([c, d]) {
    const scale = this.size / (2 * this.half);
    return [(c - this.middle[0] + this.half) * scale, (this.middle[1] + this.half - d) * scale];
  }

  toPlane(x, y) {
    const scale = (2 * this.half) / this.size;
    return [this.middle[0] - this.half + x * scale, this.middle[1] + this.half - y * scale];
  }

  /* Draw in the next frame. */
  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    this.size = canvas.clientWidth;
    if (!this.size || !this.points) return;
    if (canvas.width !== Math.round(this.size * ratio))
      canvas.width = canvas.height = Math.round(this.size * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.size, this.size);
    this.lines(pen);
    if (this.look !== "dots" && this.tiles) {
      pen.globalAlpha = (this.look === "both" ? 0.3 : 1) * (this.tiled === this.lie() ? 1 : 0.4);
      pen.drawImage(this.tiles, 0, 0, this.size, this.size);
      pen.globalAlpha = 1;
    }
    this.numbers(pen);
    if (this.look !== "pictures") this.dots(pen);
    if (this.mine) this.ring(pen);
    const [x, y] = this.toPixel(this.project(this.z));
    pen.lineWidth = 3;
    const circle = (radius, colour) => {
      pen.strokeStyle = colour;
      pen.beginPath();
      pen.arc(x, y, radius, 0, 7);
      pen.stroke();
    };
    circle(12, colours.bg);
    circle(9, colours.accent);
  }

  /* Where each axis is marked, about three times to either side of the middle. */
  ticks(k) {
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((s) => this.half / s < 3.6) || this.half;
    const from = Math.ceil((this.middle[k] - this.half) / step);
    const to = (this.middle[k] + this.half) / step;
    const marks = [];
    for (let i = from; i <= to; i++) {
      const at = Math.round(this.toPixel([i * step, i * step])[k]) + 0.5;
      if (at > 26 && at < this.size - 26) marks.push({ at, value: i * step });
    }
    return marks;
  }

  lines(pen) {
    const { size } = this;
    pen.lineWidth = 1;
    for (const k of [0, 1])
      for (const { at, value } of this.ticks(k)) {
        pen.strokeStyle = value ? colours.faint : colours.line;
        pen.beginPath();
        pen.moveTo(...(k ? [0, at] : [at, 0]));
        pen.lineTo(...(k ? [size, at] : [at, size]));
        pen.stroke();
      }
  }

  numbers(pen) {
    pen.font = "11px system-ui, sans-serif";
    for (const k of [0, 1])
      for (const { at, value } of this.ticks(k)) {
        [pen.textAlign, pen.textBaseline] = k ? ["left", "middle"] : ["center", "bottom"];
        const text = String(+value.toFixed(1)).replace("-", "−");
        this.halo(pen, text, ...(k ? [5, at] : [at, this.size - 4]), colours.soft);
      }
  }

  dots(pen) {
    const { n, y, classes } = this.examples;
    const radius = Math.max(2.6, Math.min(4.2, 90 / Math.sqrt(n)));
    for (let i = 0; i < n; i++) {
      const k = y ? y[i] : -1;
      const faded = this.chosen >= 0 && k !== this.chosen;
      const [px, py] = this.toPixel(this.points[i]);
      pen.globalAlpha = faded ? 0.08 : 0.8;
      pen.fillStyle = k < 0 ? colours.accent : classes[k].colour;
      pen.beginPath();
      pen.arc(px, py, radius, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    if (!y || !this.named || classes.length > 20) return;
    pen.font = "700 14px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    this.labels().forEach((place, k) => {
      if (this.chosen < 0 || this.chosen === k)
        this.halo(pen, classes[k].name, ...place, colours.ink);
    });
  }

  /* Where the classes' names stand: at their medians, pushed apart where they would overlap. */
  labels() {
    const room = 20;
    const places = this.medians.map((median) => this.toPixel(median));
    for (let round = 0; round < 50; round++)
      for (const a of places)
        for (const b of places) {
          const [x, y] = [b[0] - a[0], b[1] - a[1]];
          const far = Math.hypot(x, y) || 1;
          if (a === b || far >= room) continue;
          const push = (room - far) / (4 * far);
          a[0] -= push * x;
          a[1] -= push * y;
          b[0] += push * x;
          b[1] += push * y;
        }
    return places;
  }

  /* Where the user's picture is, and two standard deviations around. */
  ring(pen) {
    const { mu, sigma } = this.mine;
    const { u, v } = this;
    const at = this.project(mu);
    if (sigma) {
      // The covariance in the plane, and its Cholesky factor (l, 0; m, r).
      const covariance = (a, b) => sigma.reduce((sum, s, i) => sum + a[i] * b[i] * s * s, 0);
      const l = Math.sqrt(covariance(u, u));
      const m = covariance(u, v) / l;
      const r = Math.sqrt(Math.max(covariance(v, v) - m * m, 0));
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
    pen.strokeStyle = colours.bg;
    pen.lineWidth = 2;
    pen.beginPath();
    for (let i = 0; i < 10; i++) {
      const r = i % 2 ? 4 : 9;
      const angle = (Math.PI * i) / 5 - Math.PI / 2;
      pen.lineTo(x + r * Math.cos(angle), y + r * Math.sin(angle));
    }
    pen.closePath();
    pen.stroke();
    pen.fill();
  }

  halo(pen, text, x, y, colour) {
    pen.strokeStyle = colours.bg;
    pen.lineWidth = 3;
    pen.lineJoin = "round";
    pen.strokeText(text, x, y);
    pen.fillStyle = colour;
    pen.fillText(text, x, y);
  }
}
