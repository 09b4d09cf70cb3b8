/* Layers of images, (H, W, C) in one run of numbers: each is a function of its step, its input and all
   weights. `Network.step` calls them. */

/* For each window that sees a pixel of the image: where that pixel, the window's place and the
   weights of that pixel of the window begin. `large` is the image, `small` has a place for each
   window. */
function windows({ kernel, stride, top, left }, large, small, visit) {
  const [H, W] = large,
    [h, w] = small;
  for (let u = 0; u < h; u++)
    for (let v = 0; v < w; v++)
      for (let i = 0; i < kernel[0]; i++) {
        const r = u * stride[0] + i - top;
        if (r < 0 || r >= H) continue;
        for (let j = 0; j < kernel[1]; j++) {
          const q = v * stride[1] + j - left;
          if (q >= 0 && q < W) visit(r * W + q, u * w + v, i * kernel[1] + j);
        }
      }
}

/* An image with the bias at every pixel. */
function filled([H, W, C], bias) {
  const y = new Float64Array(H * W * C);
  for (let k = 0; k < y.length; k++) y[k] = bias[k % C];
  return y;
}

/* Each place of the window sums what it sees, times W (kh, kw, C, O). */
function conv2d(step, x, weights) {
  const C = step.from[2],
    O = step.to[2],
    y = filled(step.to, weights.subarray(step.b, step.b + O));
  windows(step, step.from, step.to, (pixel, place, tap) => {
    for (let c = 0; c < C; c++) {
      const value = x[pixel * C + c],
        row = step.W + (tap * C + c) * O;
      if (value === 0) continue;
      for (let o = 0; o < O; o++) y[place * O + o] += value * weights[row + o];
    }
  });
  return y;
}

/* Each pixel of x is a place of the window, at which W (kh, kw, O, C) is added to the image. */
function convTranspose2d(step, x, weights) {
  const C = step.from[2],
    O = step.to[2],
    y = filled(step.to, weights.subarray(step.b, step.b + O));
  windows(step, step.to, step.from, (pixel, place, tap) => {
    for (let o = 0; o < O; o++) {
      const row = step.W + (tap * O + o) * C;
      let sum = 0;
      for (let c = 0; c < C; c++) sum += x[place * C + c] * weights[row + c];
      y[pixel * O + o] += sum;
    }
  });
  return y;
}

/* Batch norm in use: a factor and an offset for each channel. */
function scale({ factor, offset, width }, x, weights) {
  return x.map((value, k) => value * weights[factor + (k % width)] + weights[offset + (k % width)]);
}

/* Each run of `width` numbers gets mean 0 and variance 1, then a gain and a bias. */
function layerNorm({ gain, bias, width, eps }, x, weights) {
  const y = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += width) {
    const row = x.subarray(start, start + width),
      mean = row.reduce((sum, value) => sum + value, 0) / width,
      variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width,
      r = 1 / Math.sqrt(variance + eps);
    for (let k = 0; k < width; k++)
      y[start + k] = (row[k] - mean) * r * weights[gain + k] + weights[bias + k];
  }
  return y;
}

/* Numbers that lie value by value, kind by kind. */
function apart({ kinds }, x) {
  const values = x.length / kinds;
  return x.map((_, k) => x[(k % values) * kinds + Math.floor(k / values)]);
}

const LAYERS = {
  linear,
  conv2d,
  conv_transpose2d: convTranspose2d,
  scale,
  layer_norm: layerNorm,
  apart,
};
