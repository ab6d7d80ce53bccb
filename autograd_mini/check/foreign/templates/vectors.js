// Inputs and right answers of @TASKS@, written by autograd-mini.
// Call your own functions in `answers`, then run:  node @FILE@
// If something is wrong, find out which mistake it is:  node @FILE@ @TASK@ | autograd-mini check @TASK@ --csv -
const mine = require("./mine.js");

// Call your own functions here, and leave out what you do not have. a[0] is the first argument: a list of numbers.
const answers = {
@CALLS@
};

const lists = (text) => text.split("|").map((list) => list.split(" ").map(Number));
const flat = (numbers) => [numbers].flat(Infinity);
const text = (numbers) => flat(numbers).map((x) => (Object.is(x, -0) ? "-0.0" : String(x))).join(" ");

function main(chosen) {
  let right = 0, lost = 0, wrong = 0;
  for (const line of LINES) {
    const [name, given, value, derivative, kink] = line.split(";");
    if (chosen && chosen !== name) continue;
    const printed = ["input " + text(lists(given))];
    for (const [what, key, expected] of [["value", name, value], ["derivative", name + "'", derivative]]) {
      if (!answers[key]) continue;
      const argument = lists(given), theirs = flat(answers[key](argument)), ours = lists(expected)[0];
      printed.push(what + " " + text(theirs));
      const error = ours.map((x, j) => (Object.is(x, theirs[j]) || x === theirs[j] ? 0 : Math.abs(x - theirs[j])));
      const changed = text(argument) !== text(lists(given));
      if (changed) printed.push("argument " + text(argument[0]));
      const choice = kink === "kink" && what === "derivative";
      const close = error.map((e, j) => e <= 1e-9 * Math.abs(ours[j]) || choice);
      if (theirs.length === ours.length && close.every(Boolean) && !changed) right++;
      else if (theirs.length === ours.length && error.every((e, j) => close[j] || e <= 1e-15) && !changed) lost++;
      else {
        wrong++;
        if (!chosen) console.log(`${name}: ${what} at ${text(lists(given))} is ${text(theirs)}, right is ${text(ours)}${changed ? "; it changes its argument" : ""}`);
      }
    }
    if (chosen) console.log(printed.join(" "));
  }
  if (!chosen) console.log(`${right} right, ${lost} without their last digits, ${wrong} wrong`);
  process.exitCode = !chosen && wrong ? 1 : 0;
}

const LINES = [ // name; arguments; value; derivative; is it a kink, where the derivative is a choice
@LINES@
];

main(process.argv[2]);
