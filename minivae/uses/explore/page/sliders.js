/* A slider for each latent number, the most used first, between the pictures its ends lead to. */

const IDLE = 0.01; // nats below which a number counts as unused
const FIRST = 24; // sliders that are shown at once; the others are folded up

class Slider {
  /* k: which number; usual: {mean, sd, reach} of it; onMove(k, value) when it is moved. */
  constructor(k, { mean, sd, reach }, onMove) {
    this.k = k;
    this.ends = [mean - reach, mean + reach];
    this.canvases = this.ends.map(() => make("canvas"));
    this.input = make("input", {
      type: "range",
      min: this.ends[0],
      max: this.ends[1],
      step: sd / 100,
    });
    this.input.setAttribute("aria-label", `z${k + 1}`);
    this.input.addEventListener("input", () => onMove(k, +this.input.value));
    this.output = make("output");
    this.row = make("label", { className: "slider" });
    if (FACTS.prior) {
      this.row.classList.toggle("idle", FACTS.relevance[k] < IDLE);
      this.row.title = `${FACTS.relevance[k].toFixed(2)} nats`;
    }
    this.row.append(named(k), this.canvases[0], this.input, this.canvases[1], this.output);
  }

  show(z) {
    this.input.value = z[this.k];
    this.output.textContent = number(z[this.k]);
  }

  /* Paint what the decoder makes of z with this number at either end. */
  preview(z, decode) {
    this.ends.forEach((end, i) => {
      const there = Float64Array.from(z);
      there[this.k] = end;
      pictures.paint(this.canvases[i], decode(there));
    });
  }
}

function makeSliders(order, spread, onMove) {
  const sliders = order.map((k) => new Slider(k, spread[k], onMove));
  const rows = sliders.map((slider) => slider.row);
  $("sliders").append(...rows.slice(0, FIRST));
  $("more").hidden = rows.length <= FIRST;
  $("more").querySelector("summary").textContent = `The other ${rows.length - FIRST}`;
  $("more")
    .querySelector(".sliders")
    .append(...rows.slice(FIRST));
  return sliders;
}
