// What the page computes when the reader moves a slider: `compute`, the emitted function of this very graph, gives
// values and local derivatives; then the chain rule adds up along the edges, in the order of the recorded sweep.

const EXACT = 100;  // digits, which show whether a number lies exactly between two shorter ones

function pointed(digits, exponent, most) {  // as Python writes numbers
  const sign = digits.startsWith("-") ? "-" : "";
  const all = digits.replace(/[-.]/g, "").replace(/0+$/, "") || "0";
  if (exponent < -4 || exponent >= most)
    return `${sign}${all[0]}${all.length > 1 ? "." : ""}${all.slice(1)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${all}`;
  const whole = all.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return sign + whole + (all.length > exponent + 1 ? `.${all.slice(exponent + 1)}` : "");
}

const unusual = (x) => (Number.isNaN(x) ? "nan" : x === Infinity ? "inf" : x === -Infinity ? "-inf" : null);

function short(x) {  // four digits, ties to even
  if (unusual(x)) return unusual(x);
  if (x === 0) return "0";
  let [digits, exponent] = x.toExponential(3).split("e");
  const rest = x.toExponential(EXACT).split("e")[0].replace("-", "").slice(5);
  if (/^50*$/.test(rest)) [digits, exponent] = x.toExponential(EXACT).split("e");
  if (/^50*$/.test(rest)) {
    const kept = digits.slice(0, digits.indexOf(".") + 4);
    if (Number(kept.at(-1)) % 2 === 0) digits = kept;
    else [digits, exponent] = x.toExponential(3).split("e");
  }
  return pointed(digits, Number(exponent), 4);
}

function long(x) {  // all digits
  if (unusual(x)) return unusual(x);
  if (x === 0) return Object.is(x, -0) ? "-0.0" : "0.0";
  const [digits, exponent] = x.toExponential().split("e");
  const text = pointed(digits, Number(exponent), 16);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

const read = (text) => {  // a number as Python writes it; null if it is none
  const name = /^([+-]?)(nan|inf(?:inity)?)$/i.exec(text);
  if (name) return name[2].toLowerCase() === "nan" ? NaN : name[1] === "-" ? -Infinity : Infinity;
  return /\d/.test(text) && !Number.isNaN(Number(text)) ? Number(text) : null;
};

function shade(gradient, largest) {  // its colour, and the strength in percent
  if (!Number.isFinite(gradient) || gradient === 0) return [gradient ? "broken" : Number.isNaN(gradient) ? "broken" : "zero", 100];
  const depth = Math.min(1 + (Math.log10(Math.abs(gradient)) - Math.log10(largest || 1)) / 3, 1);
  return [gradient < 0 ? "minus" : "plus", Math.round(15 + 85 * Math.max(depth, 0))];
}

// A graph that computes: `at(inputs)` fills `numbers`, the list in which every number of the page has its position.
function graph({ positions, turns, states, usual, hidden, parts, seed, root }) {
  const [registers, edges, nodes, slopes] = positions;
  const [products, before, after, adjoints] = [0, 1, 2, 3].map((i) => registers + i * edges);
  const numbers = new Float64Array(adjoints + nodes + slopes);
  const sums = new Float64Array(nodes);
  const reached = new Uint8Array(nodes);
  const receivers = [];  // of each edge
  const all = turns.map(([node, ...flat]) => {
    const turn = { node, first: receivers.length, to: [], locals: [] };
    for (let i = 0; i < flat.length; i += 2) {
      turn.to.push(flat[i]);
      turn.locals.push(flat[i + 1]);
      receivers.push(flat[i]);
    }
    return turn;
  });
  const recorded = usual.map((place) => all[place]);
  const calls = parts.map(([output, inputs, inside]) => ({ output, inputs, turns: all.filter(({ node }) => inside.includes(node)) }));
  const state = (edge) => (edge in states ? numbers[states[edge]] : 1);

  function sweep(start, value, order) {
    reached.fill(0);
    sums[start] = value;
    reached[start] = 1;
    for (const { node, first, to, locals } of order) {
      if (!reached[node]) continue;
      for (let i = 0; i < to.length; i++) {
        const [edge, operand] = [first + i, to[i]];
        const kind = state(edge);  // no edge, an edge, or one that hands on 0
        const product = kind === 1 ? sums[node] * numbers[locals[i]] : 0;
        numbers[products + edge] = product;
        numbers[before + edge] = reached[operand] ? sums[operand] : 0;
        if (kind) {
          sums[operand] = !reached[operand] ? product : kind === 1 ? sums[operand] + product : sums[operand];
          reached[operand] = 1;
        }
        numbers[after + edge] = reached[operand] ? sums[operand] : 0;
      }
    }
  }

  const made = { numbers, reached, adjoint: (node) => adjoints + node, isFresh: false };
  made.arrival = (edge) => (edge < 0 ? [root, adjoints + root] : [receivers[edge], after + edge]);
  made.at = (inputs) => {
    numbers.set(compute(inputs));
    for (const { output, inputs: xs, turns: order } of calls) {
      sweep(output, 1, order);
      for (const [x, at] of xs) numbers[at] = reached[x] ? sums[x] : 0;
    }
    numbers.fill(0, products, adjoints);
    made.isFresh = hidden.some(state);  // an edge that the recorded sweep did not have
    sweep(root, seed, made.isFresh ? all : recorded);
    for (let node = 0; node < nodes; node++) numbers[adjoints + node] = reached[node] ? sums[node] : 0;
  };
  made.get = (at) => (Array.isArray(at) ? at.reduce((sum, one) => sum + numbers[one], 0) : numbers[at]);
  return made;
}
